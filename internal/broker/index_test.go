package broker

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// matchesSlowly says whether filter matches topic, straight from the rules: MQTT 4.7, with AWS's #.
func matchesSlowly(filter, topic string) bool {
	if strings.HasPrefix(topic, "$") && (strings.HasPrefix(filter, "+") || strings.HasPrefix(filter, "#")) {
		return false
	}
	f, t := strings.Split(filter, "/"), strings.Split(topic, "/")
	for i, level := range f {
		switch {
		case level == "#":
			return len(t) > i
		case i >= len(t), level != "+" && level != t[i]:
			return false
		}
	}
	return len(f) == len(t)
}

func TestMatch(t *testing.T) {
	for _, tt := range []struct {
		filter, topic string
		want          bool
	}{
		{"sensor/#", "sensor/", true},
		{"sensor/#", "sensor/a/b", true},
		{"sensor/#", "sensor", false}, // AWS, against the standard. Source: mqtt sheet 1
		{"#", "a", true},
		{"#", "/", true},
		{"#", "$aws/things/t/shadow/get", false},
		{"+/things/t", "$aws/things/t", false},
		{"$aws/#", "$aws/things/t", true},
		{"$aws/+/t", "$aws/things/t", true},
		{"+", "a", true},
		{"+", "", true},
		{"+/+", "/", true},
		{"/+", "/a", true},
		{"a/+/c", "a//c", true},
		{"a/+", "a/b/c", false},
		{"a", "A", false},
		{"a/$b", "a/$b", true},
		{"a/#", "a/$b", true},
	} {
		t.Run(tt.filter+" "+tt.topic, func(t *testing.T) {
			if got := matchesSlowly(tt.filter, tt.topic); got != tt.want {
				t.Errorf("the slow matcher says %v, want %v", got, tt.want)
			}
			b := New(Config{})
			c := b.NewClient(ClientConfig{ID: "c", Conn: newDevice(), Peer: newDevice()})
			c.Subscribe(tt.filter, Options{})
			r := b.NewRoute(tt.topic)
			if r.refresh(b); (len(r.receivers) == 1) != tt.want {
				t.Errorf("%d receivers, want match %v", len(r.receivers), tt.want)
			}
			c.Subscribe(tt.filter, Options{QoS: 1})
			if r.refresh(b); tt.want && r.receivers[0].options.QoS != 1 {
				t.Errorf("the route did not see the changed options")
			}
			c.Unsubscribe(tt.filter)
			if r.refresh(b); len(r.receivers) != 0 {
				t.Errorf("%d receivers after unsubscribing", len(r.receivers))
			}
			for i := range b.index.shards {
				if !b.index.shards[i].root.empty() {
					t.Errorf("shard %d keeps nodes", i)
				}
			}
			if !b.index.wild.root.empty() {
				t.Error("the shard of wildcards keeps nodes")
			}
		})
	}
}

// TestRouting changes subscriptions at random and compares every route, kept from the beginning,
// with a model that asks the slow matcher about each subscription.
func TestRouting(t *testing.T) {
	level := rapid.SampledFrom([]string{"a", "b", "c", "", "$x"})
	filterLevel := rapid.SampledFrom([]string{"a", "b", "c", "", "$x", "+", "+"})
	topic := rapid.Custom(func(t *rapid.T) string {
		return strings.Join(rapid.SliceOfN(level, 1, 4).Draw(t, "levels"), "/")
	})
	filter := rapid.Custom(func(t *rapid.T) string {
		f := rapid.SliceOfN(filterLevel, 1, 4).Draw(t, "levels")
		if rapid.IntRange(0, 3).Draw(t, "hash") == 0 {
			f[len(f)-1] = "#"
		}
		s := strings.Join(f, "/")
		if rapid.IntRange(0, 5).Draw(t, "shared") == 0 {
			s = "$share/" + rapid.SampledFrom([]string{"g", "h"}).Draw(t, "group") + "/" + s
		}
		return s
	})
	rapid.Check(t, func(t *rapid.T) {
		b := New(Config{})
		var clients []*Client
		model := []map[string]Options{}
		for i := range 4 {
			clients = append(clients, b.NewClient(ClientConfig{ID: fmt.Sprint(i), Conn: newDevice(), Peer: newDevice()}))
			model = append(model, map[string]Options{})
		}
		routes := map[string]*Route{}
		for range rapid.IntRange(1, 40).Draw(t, "steps") {
			i := rapid.IntRange(0, 3).Draw(t, "client")
			switch f := filter.Draw(t, "filter"); rapid.IntRange(0, 2).Draw(t, "action") {
			case 0, 1:
				o := Options{QoS: byte(rapid.IntRange(0, 1).Draw(t, "qos"))}
				_, had := model[i][f]
				if added := clients[i].Subscribe(f, o); added == had {
					t.Fatalf("Subscribe(%q) = %v, had it: %v", f, added, had)
				}
				model[i][f] = o
			case 2:
				if len(model[i]) > 0 && rapid.Bool().Draw(t, "existing") {
					f = rapid.SampledFrom(slices.Sorted(maps.Keys(model[i]))).Draw(t, "mine")
				}
				_, had := model[i][f]
				if clients[i].Unsubscribe(f) != had {
					t.Fatalf("Unsubscribe(%q), had it: %v", f, had)
				}
				delete(model[i], f)
			}
			name := topic.Draw(t, "topic")
			if routes[name] == nil {
				routes[name] = b.NewRoute(name)
			}
			for name, r := range routes {
				r.refresh(b)
				got, want := map[string]byte{}, map[string]byte{}
				groups := map[string][]string{}
				for _, rc := range r.receivers {
					if _, twice := got[rc.client.id]; twice {
						t.Fatalf("%q: client %s is in the route twice", name, rc.client.id)
					}
					got[rc.client.id] = rc.options.QoS
				}
				for i, subs := range model {
					for f, o := range subs {
						share, plain := SplitShare(f)
						if !matchesSlowly(plain, name) {
							continue
						}
						if id := fmt.Sprint(i); share == "" {
							want[id] = max(want[id], o.QoS)
						} else {
							groups[f] = append(groups[f], id)
						}
					}
				}
				if d := cmp.Diff(want, got); d != "" {
					t.Fatalf("topic %q (-want +got):\n%s", name, d)
				}
				var gotGroups, wantGroups []string
				for _, g := range r.groups {
					var ids []string
					for _, m := range g.members {
						ids = append(ids, m.client.id)
					}
					slices.Sort(ids)
					gotGroups = append(gotGroups, strings.Join(ids, ","))
				}
				for _, ids := range groups {
					slices.Sort(ids)
					wantGroups = append(wantGroups, strings.Join(ids, ","))
				}
				slices.Sort(gotGroups)
				slices.Sort(wantGroups)
				if d := cmp.Diff(wantGroups, gotGroups); d != "" {
					t.Fatalf("topic %q, groups (-want +got):\n%s", name, d)
				}
			}
		}
		for _, c := range clients {
			b.Disconnect(c)
			if c.Subscribe("a", Options{}) {
				t.Fatal("a disconnected client subscribed")
			}
		}
		if !b.index.wild.root.empty() {
			t.Fatal("the index keeps nodes of nobody")
		}
	})
}
