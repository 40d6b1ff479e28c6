package mqttconn

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-iot/gatehouse/internal/attempt"
	"github.com/gatehouse-iot/gatehouse/internal/check"
	"github.com/gatehouse-iot/gatehouse/mqtt"
)

// TestSubscribe goes through mqtt sheet 6.1 to 6.3 for both versions.
func TestSubscribe(t *testing.T) {
	const closed = ""
	const some = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["iot:Connect","iot:Receive"],"Resource":"*"},
		{"Effect":"Allow","Action":"iot:Subscribe","Resource":"arn:aws:iot:us-east-1:123456789012:topicfilter/ok*"}]}`
	nine := []string{"1", "2", "3", "4", "5", "6", "7", "8", "9"}
	withID := subscribeTo(0, "a")
	withID.Props.SubscriptionIDs = []uint32{5}
	local := subscribeTo(0, "$share/g/a")
	local.Filters[0].NoLocal = true
	suback := func(codes string) string {
		n := len(strings.Fields(codes))
		return fmt.Sprintf("90 %02X 00 09 00 %s", 3+n, codes)
	}
	suback3 := func(codes string) string {
		n := len(strings.Fields(codes))
		return fmt.Sprintf("90 %02X 00 09 %s", 2+n, codes)
	}
	for name, tt := range map[string]struct {
		packet mqtt.Packet
		policy string
		cfg    Config
		v3, v5 string // "-": not asked
		codes  string // "; reason" only where the connection ends
		stays5 bool
	}{
		"granted":                    {packet: subscribeTo(1, "a", "a/#", "+/b"), v3: suback3("01 01 01"), v5: suback("01 01 01"), stays5: true},
		"shared":                     {packet: subscribeTo(0, "$share/g/1/2/3/4/5/6/7/8"), v3: suback3("00"), v5: suback("00"), stays5: true},
		"2 nine filters":             {packet: subscribeTo(0, nine...), v3: closed, v5: suback("97 97 97 97 97 97 97 97 97"), codes: "failed limit.topics_per_packet, CLIENT_ERROR", stays5: true},
		"3 subscription identifier":  {packet: withID, v3: "-", v5: "E0 01 A1", codes: "failed mqtt.subscription_identifier, CLIENT_ERROR"},
		"4 QoS 2":                    {packet: subscribeTo(2, "a"), v3: closed, v5: "E0 01 9B", codes: "failed mqtt.qos2, CLIENT_ERROR"},
		"4 QoS 2, downgrade":         {packet: subscribeTo(2, "a"), cfg: Config{Refusals: ExplainRefusals}, v3: suback3("01"), v5: "-", codes: "warned mqtt.qos2"},
		"1 no local on a shared one": {packet: local, v3: "-", v5: "E0 01 82", codes: "failed mqtt.protocol_error, CLIENT_ERROR"},
		"5 empty":                    {packet: subscribeTo(0, ""), v3: closed, v5: suback("8F"), codes: "failed topic.filter_invalid, CLIENT_ERROR", stays5: true},
		"5 # inside":                 {packet: subscribeTo(0, "a/#/b"), v3: closed, v5: suback("8F"), codes: "failed topic.filter_invalid, CLIENT_ERROR", stays5: true},
		"5 + in a level":             {packet: subscribeTo(0, "a/b+"), v3: closed, v5: suback("8F"), codes: "failed topic.filter_invalid, CLIENT_ERROR", stays5: true},
		"5 share without filter":     {packet: subscribeTo(0, "$share/g"), v3: closed, v5: suback("8F"), codes: "failed topic.filter_invalid, CLIENT_ERROR", stays5: true},
		"5 share name empty":         {packet: subscribeTo(0, "$share//a"), v3: closed, v5: suback("8F"), codes: "failed topic.filter_invalid, CLIENT_ERROR", stays5: true},
		"5 share name wildcard":      {packet: subscribeTo(0, "$share/+/a"), v3: closed, v5: suback("8F"), codes: "failed topic.filter_invalid, CLIENT_ERROR", stays5: true},
		"5 length":                   {packet: subscribeTo(0, strings.Repeat("x", 257)), v3: closed, v5: suback("8F"), codes: "failed limit.topic_length, CLIENT_ERROR", stays5: true},
		"5 levels":                   {packet: subscribeTo(0, "1/2/3/4/5/6/7/8/9"), v3: closed, v5: suback("8F"), codes: "failed limit.topic_levels, CLIENT_ERROR", stays5: true},
		"6 $SYS":                     {packet: subscribeTo(0, "a", "$SYS/#"), v3: closed, v5: suback("00 8F"), codes: "failed topic.reserved_unsupported, CLIENT_ERROR", stays5: true},
		"6 $queue":                   {packet: subscribeTo(0, "$queue/a"), v3: closed, v5: suback("8F"), codes: "failed topic.reserved_unsupported, CLIENT_ERROR", stays5: true},
		"6 publish only":             {packet: subscribeTo(0, "$aws/rules/r"), v3: closed, v5: suback("8F"), codes: "failed topic.reserved, CLIENT_ERROR", stays5: true},
		"6 allowed":                  {packet: subscribeTo(0, "$aws/events/presence/connected/+", "$aws/things/+/shadow/update/accepted", "$aws/events/thing/#", "$aws/+/t/shadow/get"), v3: suback3("00 00 00 00"), v5: suback("00 00 00 00"), stays5: true, codes: strings.TrimSuffix(strings.Repeat("warned topic.service_not_built, ", 3), ", ")},
		"7 policy":                   {packet: subscribeTo(0, "ok/1", "no/1"), policy: some, v3: closed, v5: suback("00 87"), codes: "failed authz.subscribe, AUTH_ERROR", stays5: true},
		"7 policy, suback":           {packet: subscribeTo(1, "ok/1", "no/1"), policy: some, cfg: Config{Refusals: ExplainRefusals}, v3: suback3("01 80"), v5: "-", codes: "failed authz.subscribe"},
		"7 policy, suback and close": {packet: subscribeTo(1, "ok/1", "no/1"), policy: some, cfg: Config{Refusals: Refusals{SubscribeDenied: SubscribeSubackThenClose}}, v3: suback3("01 80"), v5: "-", codes: "failed authz.subscribe, AUTH_ERROR"},
		"UNSUBSCRIBE":                {packet: &mqtt.Unsubscribe{PacketID: 9, Filters: [][]byte{[]byte("a"), []byte("b/#/c")}}, v3: "B0 02 00 09", v5: "B0 05 00 09 00 00 8F", codes: "warned topic.filter_invalid", stays5: true},
		"UNSUBSCRIBE nine":           {packet: &mqtt.Unsubscribe{PacketID: 9, Filters: [][]byte{{'a'}, {'b'}, {'c'}, {'d'}, {'e'}, {'f'}, {'g'}, {'h'}, {'i'}}}, v3: closed, v5: "B0 0C 00 09 00 80 80 80 80 80 80 80 80 80", codes: "failed limit.topics_per_packet, CLIENT_ERROR", stays5: true},
	} {
		for _, v := range []mqtt.Version{mqtt.V311, mqtt.V5} {
			want := tt.v3
			if v == mqtt.V5 {
				want = tt.v5
			}
			if want == "-" {
				continue
			}
			t.Run(name+" "+v.String(), func(t *testing.T) {
				inWorld(t, tt.cfg, func(w *world) {
					if tt.policy != "" {
						w.policy(tt.policy)
					}
					d := w.dial(v).connect("pump-7")
					d.send(tt.packet)
					if got := d.raw(); got != want {
						t.Errorf("answer %q, want %q", got, want)
					}
					codes, ends := tt.codes, strings.Contains(tt.codes, "_ERROR")
					if ends && v == mqtt.V5 && tt.stays5 {
						codes, ends = codes[:strings.LastIndex(codes, ", ")], false
					}
					if d.ended() != ends {
						t.Errorf("ended %v, want %v", !ends, ends)
					}
					if got := d.codes(); got != codes {
						t.Errorf("recorded %q, want %q", got, codes)
					}
				})
			})
		}
	}
}

func TestSubscriptionLimit(t *testing.T) {
	for _, v := range []mqtt.Version{mqtt.V311, mqtt.V5} {
		t.Run(v.String(), func(t *testing.T) {
			inWorld(t, Config{}, func(w *world) {
				d := w.dial(v).connect("a")
				for i := range 7 {
					var list []string
					for j := range 7 {
						list = append(list, fmt.Sprintf("t/%d/%d", i, j))
					}
					d.send(subscribeTo(0, list...))
				}
				d.raw() // 49 subscriptions
				d.send(subscribeTo(1, "t/0/0", "x", "x", "y"))
				want := "90 07 00 09 00 01 01 01 97"
				if v == mqtt.V311 {
					want = "90 06 00 09 01 01 01 80" // then it is closed
				}
				if got := d.raw(); got != want || d.ended() != (v == mqtt.V311) {
					t.Errorf("answer %q, want %q; ended %v", got, want, d.ended())
				}
				if got := d.codes(); !strings.HasPrefix(got, "failed limit.subscriptions") {
					t.Errorf("recorded %q", got)
				}
				if v == mqtt.V5 {
					d.send(&mqtt.Unsubscribe{PacketID: 9, Filters: [][]byte{[]byte("x")}}, subscribeTo(0, "y"))
					if got := d.raw(); got != "B0 04 00 09 00 00 90 04 00 09 00 00" {
						t.Errorf("after unsubscribing: %s", got)
					}
				}
			})
		})
	}
}

// TestEarlyPackets: what a client sends before CONNACK counts after it.
func TestEarlyPackets(t *testing.T) {
	inWorld(t, Config{}, func(w *world) {
		d := w.dial(mqtt.V311)
		d.send(&mqtt.Connect{CleanStart: true, ClientID: []byte("a"), KeepAlive: 60}, subscribeTo(0, "t"), publishOf("t", "hi", 1), &mqtt.Disconnect{})
		if got := d.raw(); !strings.HasPrefix(got, "20 02 00 00") || !strings.Contains(got, "90 03 00 09 00") || !strings.Contains(got, "30 05 00 01 74 68 69") || !strings.Contains(got, "40 02 00 07") {
			t.Errorf("received %s", got)
		}
		if !d.ended() || d.codes() != "CLIENT_INITIATED_DISCONNECT" {
			t.Errorf("recorded %q", d.codes())
		}
	})
}

func willOf(topic string) func(*mqtt.Connect) {
	return func(p *mqtt.Connect) {
		p.Will = &mqtt.Will{Topic: []byte(topic), Payload: []byte("gone"), QoS: 1}
	}
}

// TestEndings goes through mqtt sheet 13: code, reason, and whether the will is published.
func TestEndings(t *testing.T) {
	certificate := strings.Repeat("ab", 32)
	for name, tt := range map[string]struct {
		end    func(w *world, d *device)
		v3, v5 string // what the device gets
		codes  string
		will   bool
	}{
		"DISCONNECT":   {func(_ *world, d *device) { d.send(&mqtt.Disconnect{}) }, "", "", "CLIENT_INITIATED_DISCONNECT", false},
		"EOF":          {func(_ *world, d *device) { d.hangUp() }, "", "", "warned session.connection_lost, CONNECTION_LOST", true},
		"keep-alive":   {func(*world, *device) { time.Sleep(92 * time.Second) }, "", "E0 01 8D", "failed session.keepalive_expired, MQTT_KEEP_ALIVE_TIMEOUT", true},
		"taken over":   {func(w *world, d *device) { time.Sleep(time.Second); w.dial(mqtt.V5).connect("pump-7") }, "", "E0 01 8E", "failed session.takeover, DUPLICATE_CLIENTID", true},
		"client error": {func(_ *world, d *device) { d.send(&mqtt.Pubrel{PacketID: 1}) }, "", "E0 01 82", "failed mqtt.unexpected_packet, CLIENT_ERROR", true},
		"certificate inactive": {func(w *world, _ *device) {
			w.server.Cut(certificate, check.PrincipalCut, attempt.F("status", "INACTIVE"))
		}, "", "E0 01 87", "failed connection.principal_cut, AUTH_ERROR", true},
		"another certificate": {func(w *world, _ *device) { w.server.Cut("other", check.PrincipalCut) }, "", "", "", false},
		"shutdown":            {func(w *world, _ *device) { w.server.CutAll(w.t.Context()) }, "", "E0 01 8B", "warned server.shutting_down, SERVER_INITIATED_DISCONNECT", false},
	} {
		for _, v := range []mqtt.Version{mqtt.V311, mqtt.V5} {
			t.Run(name+" "+v.String(), func(t *testing.T) {
				inWorld(t, Config{}, func(w *world) {
					watch := w.dial(mqtt.V5, dialOptions{ip: "203.0.113.1", principal: "watcher"}).connect("watch", func(p *mqtt.Connect) { p.KeepAlive = 1200 })
					watch.send(subscribeTo(1, "will/#")).raw()
					d := w.dial(v).connect("pump-7", willOf("will/pump-7"))
					tt.end(w, d)
					if got := d.raw(); got != map[mqtt.Version]string{mqtt.V311: tt.v3, mqtt.V5: tt.v5}[v] {
						t.Errorf("received %q", got)
					}
					if got := d.codes(); got != tt.codes {
						t.Errorf("recorded %q, want %q", got, tt.codes)
					}
					var want []string
					if tt.will {
						want = []string{"will/pump-7 gone 1"}
					}
					if name == "shutdown" {
						return // nobody is left to see the will
					}
					if diff := cmp.Diff(want, watch.messages()); diff != "" {
						t.Errorf("will (-want +got):\n%s", diff)
					}
				})
			})
		}
	}
}

func TestWill(t *testing.T) {
	for name, tt := range map[string]struct {
		change func(*mqtt.Connect)
		end    func(w *world, d *device)
		want   []string
		codes  string
	}{
		"disconnect with will": {
			end:  func(_ *world, d *device) { d.send(&mqtt.Disconnect{Reason: mqtt.DisconnectWithWill}) },
			want: []string{"will/a gone 1"}, codes: "CLIENT_INITIATED_DISCONNECT",
		},
		"no longer allowed": {end: func(w *world, d *device) {
			w.policy(allow("iot:Connect", "client/*"), allow("iot:Receive", "topic/*"))
			d.hangUp()
		}, codes: "warned authz.will.publish, warned session.connection_lost, CONNECTION_LOST"},
		"with properties": {
			change: func(p *mqtt.Connect) {
				p.Will.Props.SetMessageExpiry(10)
				p.Will.Props.SetWillDelay(60) // the session ends with the connection, and the delay with it
			}, end: func(_ *world, d *device) { time.Sleep(time.Minute); d.hangUp() },
			want: []string{"will/a gone 1"}, codes: "warned session.connection_lost, CONNECTION_LOST",
		},
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, Config{}, func(w *world) {
				watch := w.dial(mqtt.V5).connect("watch", func(p *mqtt.Connect) { p.KeepAlive = 1200 }).send(subscribeTo(1, "will/a"))
				watch.raw()
				d := w.dial(mqtt.V5).connect("a", func(p *mqtt.Connect) {
					willOf("will/a")(p)
					if tt.change != nil {
						tt.change(p)
					}
				})
				tt.end(w, d)
				if diff := cmp.Diff(tt.want, watch.messages()); diff != "" {
					t.Errorf("(-want +got):\n%s", diff)
				}
				if got := d.codes(); got != tt.codes {
					t.Errorf("recorded %q, want %q", got, tt.codes)
				}
			})
		})
	}
}

func TestKeepAlive(t *testing.T) {
	for _, tt := range []struct {
		asked   uint16
		silence time.Duration // that ends it
		codes   string
	}{
		{60, 90 * time.Second, ""},
		{1, 45 * time.Second, "warned keepalive.below_min, "},
		{0, 30 * time.Minute, "warned keepalive.above_max, "},
		{3600, 30 * time.Minute, "warned keepalive.above_max, "},
	} {
		t.Run(fmt.Sprint(tt.asked), func(t *testing.T) {
			inWorld(t, Config{}, func(w *world) {
				d := w.dial(mqtt.V311).connect("a", func(p *mqtt.Connect) { p.KeepAlive = tt.asked })
				for range 3 { // each packet buys the whole time again
					time.Sleep(tt.silence - 2*time.Second)
					if d.send(&mqtt.Pingreq{}); d.raw() != "D0 00" {
						t.Fatal("no PINGRESP")
					}
				}
				time.Sleep(tt.silence - time.Second)
				if d.ended() {
					t.Error("ended early")
				}
				time.Sleep(3 * time.Second)
				if want := tt.codes + "failed session.keepalive_expired, MQTT_KEEP_ALIVE_TIMEOUT"; !d.ended() || d.codes() != want {
					t.Errorf("ended %v, recorded %q, want %q", d.ended(), d.codes(), want)
				}
				if got := d.evidence("session.keepalive_expired", "last_packet"); !strings.HasPrefix(got, "PINGREQ, ") {
					t.Errorf("last packet %q", got)
				}
			})
		})
	}
}

// TestTakeover: PROBLEMS F. Each side is told about the other, and a refused newcomer evicts nobody.
func TestTakeover(t *testing.T) {
	inWorld(t, Config{}, func(w *world) {
		old := w.dial(mqtt.V5, dialOptions{ip: "203.0.113.1", principal: "one"}).connect("pump-7", func(p *mqtt.Connect) {
			p.HasUserName, p.UserName = true, []byte("?SDK=CPPv2&Version=1.33")
		})
		old.send(subscribeTo(0, "t")).raw()
		time.Sleep(2 * time.Second)
		w.policy(allow("iot:Connect", "client/other"))
		w.dial(mqtt.V5, dialOptions{ip: "203.0.113.2", principal: "two"}).send(&mqtt.Connect{ClientID: []byte("pump-7"), CleanStart: true})
		if old.ended() {
			t.Fatal("a refused CONNECT evicted the session")
		}
		w.policy(allowAll)
		time.Sleep(2 * time.Second)
		successor := w.dial(mqtt.V311, dialOptions{ip: "203.0.113.2", principal: "two"}).connect("pump-7")
		if got := old.raw(); got != "E0 01 8E" || !old.ended() {
			t.Errorf("the old connection got %q", got)
		}
		for key, want := range map[string]string{"other_source_ip": "203.0.113.2", "other_principal": "two", "other_trace": successor.at.ID(), "connected_for": "4s"} {
			if got := old.evidence("session.takeover", key); got != want {
				t.Errorf("old: %s is %q, want %q", key, got, want)
			}
		}
		for key, want := range map[string]string{"other_source_ip": "203.0.113.1", "other_sdk": "?SDK=CPPv2&Version=1.33", "other_trace": old.at.ID()} {
			if got := successor.evidence("session.took_over", key); got != want {
				t.Errorf("new: %s is %q, want %q", key, got, want)
			}
		}
		w.dial(mqtt.V311).connect("x").send(publishOf("t", "x", 0))
		if got := successor.messages(); got != nil {
			t.Errorf("the successor inherited subscriptions: %q", got)
		}
		if w.server.cfg.Broker.Lookup("pump-7") == nil {
			t.Error("the end of the old connection removed its successor")
		}
	})
}

// TestTakeoverLoop: the recorder sees the pattern in what this package tells it.
func TestTakeoverLoop(t *testing.T) {
	for name, tt := range map[string]struct{ second, want string }{
		"two devices": {"203.0.113.2", "session.takeover_loop"},
		"itself":      {"203.0.113.1", "session.takeover_self"},
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, Config{}, func(w *world) {
				var devices []*device
				for i := range 5 {
					d := w.dial(mqtt.V311, dialOptions{ip: []string{"203.0.113.1", tt.second}[i%2], principal: "p"})
					d.at.SetPrincipal("p", "")
					devices = append(devices, d.connect("pump-7"))
					time.Sleep(2 * time.Second)
				}
				var all string
				for _, d := range devices {
					all += d.codes() + "; "
				}
				if !strings.Contains(all, tt.want) {
					t.Errorf("recorded %q, want %s among it", all, tt.want)
				}
			})
		})
	}
}

// TestUnreadClient: a client that sends and does not read stops itself, and its end is bounded.
func TestUnreadClient(t *testing.T) {
	inWorld(t, Config{Limits: OpenLimits}, func(w *world) {
		d := w.dial(mqtt.V5, dialOptions{ip: "203.0.113.1", principal: "p", noReading: true})
		d.send(&mqtt.Connect{ClientID: []byte("a"), CleanStart: true, KeepAlive: 30})
		began := time.Now()
		if n := w.server.Cut("p", check.PrincipalCut); n != 1 {
			t.Errorf("%d connections told", n)
		}
		<-d.done
		if took := time.Since(began); took > 5*time.Second {
			t.Errorf("the end took %v", took)
		}
		d.nc.Close()
	})
}

func TestContextEnds(t *testing.T) {
	inWorld(t, Config{}, func(w *world) {
		d := w.dial(mqtt.V5)
		if err := w.server.CutAll(w.t.Context()); err != nil {
			t.Fatal(err)
		}
		if !d.ended() || d.codes() != "warned server.shutting_down, SERVER_INITIATED_DISCONNECT" {
			t.Errorf("before its CONNECT: recorded %q", d.codes())
		}
		late := w.dial(mqtt.V5)
		if !late.ended() {
			t.Error("a connection was taken after the shutdown began")
		}
	})
}

func TestCallersContextEnds(t *testing.T) {
	inWorld(t, Config{}, func(w *world) {
		ctx, cancel := context.WithCancel(w.t.Context())
		w.ctx = ctx
		waiting, open := w.dial(mqtt.V311), w.dial(mqtt.V5).connect("a")
		cancel()
		if got := open.raw(); got != "E0 01 8B" || !waiting.ended() || !open.ended() {
			t.Errorf("received %q; ended %v and %v", got, waiting.ended(), open.ended())
		}
	})
}

// TestSharedSubscription: each message goes to one member of each group, and what a member that goes
// has not acknowledged to another one. Source: mqtt sheet 10.
func TestSharedSubscription(t *testing.T) {
	inWorld(t, Config{Limits: OpenLimits}, func(w *world) {
		var members []*device
		for i := range 3 {
			d := w.dial(mqtt.V5).connect(fmt.Sprint("m", i)).send(subscribeTo(1, "$share/g/t/+"))
			d.raw()
			members = append(members, d)
		}
		from := w.dial(mqtt.V311).connect("from")
		for i := range 60 {
			from.send(publishOf("t/1", fmt.Sprint(i), 1))
		}
		total, kept := 0, 0
		for i, d := range members {
			n := 0
			for p := d.next(); p != nil; p = d.next() {
				if n++; i == 0 {
					d.send(&mqtt.Puback{PacketID: p.(*mqtt.Publish).PacketID})
				}
			}
			if total += n; n == 0 {
				t.Errorf("member %d got nothing of 60 messages", i)
			}
			if i == 1 {
				kept = n
			}
		}
		if total != 60 {
			t.Errorf("%d copies of 60 messages", total)
		}
		members[0].hangUp()
		members[1].hangUp()
		from.send(publishOf("t/1", "last", 1))
		if got := members[2].messages(); len(got) != kept+1 {
			t.Errorf("the member that is left got %q, want what member 1 did not acknowledge (%d) and the last", got, kept)
		}
	})
}
