package logs

import (
	"math/rand/v2"
	"strconv"
	"testing"
)

// BenchmarkAppend is what a device's event costs its connection.
func BenchmarkAppend(b *testing.B) {
	s := open(b, b.TempDir())
	w, err := s.NewWriter("AWSIotLogsV2", "a", 30)
	if err != nil {
		b.Fatal(err)
	}
	defer w.Close()
	entry := newTraffic(1).next(1)
	b.ReportAllocs()
	for b.Loop() {
		w.Append(0, entry, 1)
	}
	b.ReportMetric(float64(w.Dropped()), "dropped")
}

// BenchmarkIngest is the whole way of an event, into a block on disk.
func BenchmarkIngest(b *testing.B) {
	s := open(b, b.TempDir())
	events := newFleet(1, 2000, 1_800_000_000_000).events(200_000)
	n := 0
	b.ReportAllocs()
	for b.Loop() {
		if err := s.Put("g", "a", events[n%200:][:1000]); err != nil {
			b.Fatal(err)
		}
		n += 1000
	}
	sealAll(b, s)
	b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "events/s")
}

// BenchmarkEntries is the same for the entries of device traffic: in, and out.
func BenchmarkEntries(b *testing.B) {
	s := open(b, b.TempDir())
	f := newTraffic(1000)
	var entries []Entry
	for i := range 200_000 {
		entries = append(entries, f.next(int64(i/40)))
	}
	g, st, err := s.ensure("g", "a", 0)
	if err != nil {
		b.Fatal(err)
	}
	n := 0
	b.ReportAllocs()
	for b.Loop() {
		if err := s.writeEntries(g, st, entries[n%200_000:][:4000]); err != nil {
			b.Fatal(err)
		}
		n += 4000
	}
	sealAll(b, s)
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(n), "ns/event")
	d, _ := s.Group("g")
	b.ReportMetric(float64(d.StoredBytes)/float64(n), "B/event")
}

// traffic makes the entries of devices that publish to a receiver.
type traffic struct {
	r       *rand.Rand
	head    [2]*Members
	level   *Members
	devices [][3]*Members // trace, topic, who
	bodies  map[[2]int]*Body
	out     bool
	last    int
}

func newTraffic(devices int) *traffic {
	f := newFleet(1, devices, 0)
	t := &traffic{r: f.r, level: NewMembers(`"logLevel":"INFO"`), bodies: map[[2]int]*Body{}}
	for i, kind := range []string{"Publish-In", "Publish-Out"} {
		t.head[i] = NewMembers(`"accountId":"123456789012","status":"Success","eventType":"` + kind + `","protocol":"MQTT"`)
	}
	for _, d := range f.devices {
		t.devices = append(t.devices, [3]*Members{
			NewMembers(`"traceId":"` + f.uuid() + `"`), NewMembers(`"topicName":"site/` + d.client + `/state"`),
			NewMembers(`"clientId":"` + d.client + `","principalId":"` + d.principal + `","sourceIp":"` + d.ip + `","sourcePort":` + strconv.Itoa(d.port)),
		})
	}
	return t
}

// next is a publish, or its delivery to the first device.
func (t *traffic) next(ms int64) Entry {
	if t.out = !t.out; t.out {
		t.last = t.r.IntN(len(t.devices))
	}
	d := &t.devices[t.last]
	which := [2]int{t.last, b2i(!t.out)}
	if t.bodies[which] == nil {
		members := [MaxParts]*Members{t.level, d[0], t.head[b2i(!t.out)], d[1], d[2]}
		if !t.out {
			members[4] = t.devices[0][2]
		}
		t.bodies[which] = NewBody(members)
	}
	return Entry{ms, t.bodies[which]}
}

// BenchmarkSize reports the bytes of disk of an event of a realistic mix.
func BenchmarkSize(b *testing.B) {
	s := open(b, b.TempDir())
	f := newFleet(1, 2000, 1_800_000_000_000)
	n := 0
	raw := 0
	for b.Loop() {
		events := f.events(maxRows)
		for _, e := range events {
			raw += len(e.Message)
		}
		for len(events) > 0 {
			k := min(len(events), 1024)
			if err := s.Put("g", "a", events[:k]); err != nil {
				b.Fatal(err)
			}
			events = events[k:]
		}
		n += maxRows
	}
	sealAll(b, s)
	g, _ := s.Group("g")
	b.ReportMetric(float64(g.StoredBytes)/float64(n), "B/event")
	b.ReportMetric(float64(raw)/float64(n), "raw-B/event")
}
