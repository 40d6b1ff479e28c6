package mqttconn

import (
	"context"
	"net"
	"testing"
	"time"

	"github.com/gatehouse-iot/gatehouse/mqtt"
)

// putToRest lets the connections of s rest as if they had been silent, and waits until they do.
func putToRest(t *testing.T, s *Server) (only *conn) {
	t.Helper()
	for resting := false; !resting; time.Sleep(time.Millisecond) {
		s.mu.Lock()
		for k := range s.conns {
			only = k
		}
		s.mu.Unlock()
		later := time.Now().Add(2 * restAfter)
		s.deadlines.mu.Lock() // as the wheel does
		only.sendToRest(later, later.Add(time.Hour))
		s.deadlines.mu.Unlock()
		resting = only.resting.Load()
	}
	return only
}

// ping sends a message and takes its PUBACK.
func ping(t *testing.T, nc net.Conn, in *mqtt.Reader, id uint16, payload string) {
	t.Helper()
	p := publishOf("t/1", payload, 1)
	p.PacketID = id
	if err := mqtt.WritePacket(nc, mqtt.V5, p); err != nil {
		t.Fatal(err)
	}
	a, err := in.ReadPacket()
	if ack, ok := a.(*mqtt.Puback); !ok || ack.PacketID != id {
		t.Fatalf("the answer to message %d: %v, %v", id, a, err)
	}
}

// TestRest: a connection goes on after a rest as if there had been none, and is looked at again.
func TestRest(t *testing.T) {
	s, dial := serveTLS(t)
	nc, in := dial(mqtt.V5, "c")
	for id, payload := range []string{"x", string(make([]byte, 30<<10)), "y"} {
		ping(t, nc, in, uint16(id+1), payload)
		putToRest(t, s)
	}
	ping(t, nc, in, 9, "z")
	k := putToRest(t, s)
	s.deadlines.mu.Lock()
	if ahead := time.Until(time.Unix(k.slot, 0)); ahead > restAfter+time.Minute {
		t.Errorf("the wheel looks at a connection that was awake in %v", ahead)
	}
	s.deadlines.mu.Unlock()
	if s.Rests() < 4 {
		t.Errorf("%d rests, want 4", s.Rests())
	}
}

// TestRestingReader: a large buffer is kept for what it holds, and no longer.
func TestRestingReader(t *testing.T) {
	client, server := net.Pipe()
	defer client.Close()
	defer server.Close()
	r := reader{nc: server, last: muchRead} // the read before was a large one
	go client.Write([]byte{1})
	if err := r.read(); err != nil {
		t.Fatal(err)
	}
	if r.rest(); r.pooled == nil || r.buf[r.start] != 1 {
		t.Error("what was read is gone")
	}
	r.start++
	if r.rest(); r.pooled != nil || r.buf != nil {
		t.Error("an empty buffer is kept")
	}
	go client.Write([]byte{2})
	if err := r.read(); err != nil || len(r.buf) != smallBuffer || r.buf[r.start] != 2 {
		t.Errorf("the read after that: %v, into %d bytes", err, len(r.buf))
	}
}

// TestRestWithPart: what came of a packet before the rest is not lost.
func TestRestWithPart(t *testing.T) {
	s, dial := serveTLS(t)
	nc, in := dial(mqtt.V5, "c")
	p := publishOf("t/1", string(make([]byte, 3<<10)), 1)
	p.PacketID = 7
	whole, err := p.Append(nil, mqtt.V5)
	if err != nil {
		t.Fatal(err)
	}
	rest := whole
	for _, n := range []int{1, 700, 1000} {
		nc.Write(rest[:n])
		rest = rest[n:]
		putToRest(t, s)
	}
	nc.Write(rest)
	a, err := in.ReadPacket()
	if ack, ok := a.(*mqtt.Puback); !ok || ack.PacketID != 7 {
		t.Fatalf("the answer: %v, %v", a, err)
	}
}

// TestRestEnds: whoever rests hears of the end, from either side.
func TestRestEnds(t *testing.T) {
	t.Run("the server's", func(t *testing.T) {
		s, dial := serveTLS(t)
		_, in := dial(mqtt.V5, "c")
		putToRest(t, s)
		done := make(chan error)
		go func() { done <- s.CutAll(context.Background()) }()
		p, err := in.ReadPacket()
		if d, ok := p.(*mqtt.Disconnect); !ok || d.Reason != mqtt.ServerShuttingDown {
			t.Errorf("at the end of the server: %v, %v", p, err)
		}
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	t.Run("the client's", func(t *testing.T) {
		s, dial := serveTLS(t)
		nc, _ := dial(mqtt.V5, "c")
		k := putToRest(t, s)
		nc.Close()
		<-k.stop
	})
}
