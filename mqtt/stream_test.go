package mqtt_test

import (
	"bytes"
	"errors"
	"io"
	"runtime"
	"strings"
	"testing"

	"github.com/gatehouse-iot/gatehouse/mqtt"
)

// pieces is a stream that arrives n bytes at a time.
type pieces struct {
	b []byte
	n int
}

func (p *pieces) Read(b []byte) (int, error) {
	if len(p.b) == 0 {
		return 0, io.EOF
	}
	n := copy(b, p.b[:min(p.n, len(p.b))])
	p.b = p.b[n:]
	return n, nil
}

func TestNextPacket(t *testing.T) {
	for _, tt := range []struct {
		name, wire string
		max        int
		n          int // wanted; when an error is wanted its code is below
		body       int
		code       mqtt.ReasonCode
		rule       string
	}{
		{name: "nothing", wire: "", n: -2},
		{name: "type alone", wire: "30", n: -1},
		{name: "a pingreq", wire: "C0 00", n: 2},
		{name: "two packets", wire: "C0 00 C0 00", n: 2},
		{name: "a byte too few", wire: "30 03 0001", n: -1},
		{name: "many too few", wire: "30 03", n: -3},
		{name: "length goes on", wire: "30 80", n: -1},
		{name: "length 128, cut off", wire: "30 80 01 00", n: -127},
		{name: "length of four bytes", wire: "30 FF FF FF 7F", n: -268435455},
		{name: "length of five bytes", wire: "30 FF FF FF FF", code: mqtt.MalformedPacket, rule: "section 2.1.4"},
		{name: "length of five bytes, short ones", wire: "30 80 80 80 80 01", code: mqtt.MalformedPacket, rule: "section 2.1.4"},
		{name: "length longer than needed", wire: "C0 80 00", n: 3},
		{name: "at the limit", wire: "40 02 0001", max: 4, n: 4, body: 2},
		{name: "above the limit", wire: "40 03 0001 00", max: 4, code: mqtt.PacketTooLarge, rule: mqtt.RulePacketSize},
		{name: "above the limit before it came", wire: "30 FF FF FF 7F", max: 1 << 20, code: mqtt.PacketTooLarge, rule: mqtt.RulePacketSize},
		{name: "TLS", wire: "16", code: mqtt.MalformedPacket, rule: "MQTT-2.1.3-1"},
		{name: "HTTP GET", wire: "'GET / HTTP/1.1'", code: mqtt.MalformedPacket, rule: "MQTT-2.1.3-1"},
		{name: "type 0", wire: "00", code: mqtt.MalformedPacket, rule: "section 2.1.2"},
		{name: "QoS 3", wire: "36", code: mqtt.MalformedPacket, rule: "MQTT-3.3.1-4"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			wire := unhex(t, tt.wire)
			_, body, n, err := mqtt.NextPacket(wire, tt.max)
			if tt.rule != "" {
				if e, ok := errors.AsType[*mqtt.Error](err); !ok || e.Code != tt.code || e.Rule != tt.rule || body != nil || n != 0 {
					t.Errorf("NextPacket(% X, %d) = %d, %v; want %s [%s]", wire, tt.max, n, err, tt.code, tt.rule)
				}
				return
			}
			if err != nil || n != tt.n || len(body) != tt.body || (body != nil) != (n > 0) {
				t.Errorf("NextPacket(% X, %d) = body % X, n %d, %v; want n %d", wire, tt.max, body, n, err, tt.n)
			}
		})
	}
}

func TestCheckLength(t *testing.T) {
	for _, tt := range []struct {
		v    mqtt.Version
		wire string
		bad  bool
	}{
		{v311, "C0 80 00", false}, {v5, "C0 00", false}, {v5, "C0 80 00", true}, {v5, "40 82 80 00 0001", true}, {0, "10 80 00", false},
	} {
		wire := unhex(t, tt.wire)
		header, body, n, err := mqtt.NextPacket(wire, 0)
		if err != nil {
			t.Fatal(err)
		}
		if err := mqtt.CheckLength(tt.v, header, n, len(body)); (err != nil) != tt.bad {
			t.Errorf("CheckLength(%s, % X) = %v, want a failure: %v", tt.v, wire, err, tt.bad)
		}
	}
}

func TestReader(t *testing.T) {
	connect := unhex(t, "10 0E 0004'MQTT' 05 02 003C 00 0001'a'")
	refused := unhex(t, "20 03 00 87 00")
	r := mqtt.NewReader(&pieces{append(connect, refused...), 3}, 0, 100)
	if p, err := r.ReadPacket(); err != nil || p.Type() != mqtt.TypeConnect || r.Version != v5 {
		t.Fatalf("first packet: %+v, %v; version %s, want CONNECT of MQTT 5", p, err, r.Version)
	}
	if p, err := r.ReadPacket(); err != nil || p.(*mqtt.Connack).Reason != mqtt.NotAuthorized {
		t.Fatalf("second packet: %+v, %v", p, err)
	}
	if p, err := r.ReadPacket(); p != nil || !errors.Is(err, io.EOF) {
		t.Errorf("after the last packet: %v, %v; want io.EOF", p, err)
	}

	for name, tt := range map[string]struct {
		wire string
		want error // nil is an *mqtt.Error
		rest int
	}{
		"inside a packet":      {"C0 00 30 05 00", io.ErrUnexpectedEOF, 3},
		"inside the header":    {"C0 00 30", io.ErrUnexpectedEOF, 1},
		"no packet":            {"C0 00 'HTTP/1.1 400'", nil, 12},
		"too large":            {"C0 00 30 65 00", nil, 3},
		"length not shortest":  {"C0 00 C0 80 00", nil, 0},
		"malformed but framed": {"C0 00 40 02 0000", nil, 0},
	} {
		t.Run(name, func(t *testing.T) {
			r := mqtt.NewReader(bytes.NewReader(unhex(t, tt.wire)), v5, 100)
			if _, err := r.ReadPacket(); err != nil {
				t.Fatalf("first packet: %v", err)
			}
			_, err := r.ReadPacket()
			_, isError := errors.AsType[*mqtt.Error](err)
			wantError := tt.want == nil
			if wantError != isError || !wantError && !errors.Is(err, tt.want) || len(r.Buffered()) != tt.rest {
				t.Errorf("ReadPacket = %v, %d bytes left over; want %v, %d", err, len(r.Buffered()), tt.want, tt.rest)
			}
		})
	}
}

// TestReaderOwnsPackets: a packet stays what it was while others are read.
func TestReaderOwnsPackets(t *testing.T) {
	var wire bytes.Buffer
	for _, c := range []string{"a", "b", "c"} {
		if err := mqtt.WritePacket(&wire, v311, &mqtt.Publish{Topic: []byte(c), Payload: bytes.Repeat([]byte(c), 600)}); err != nil {
			t.Fatal(err)
		}
	}
	r := mqtt.NewReader(&wire, v311, 0)
	first, err := r.ReadPacket()
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if _, err := r.ReadPacket(); err != nil {
			t.Fatal(err)
		}
	}
	if got := first.(*mqtt.Publish); string(got.Topic) != "a" || strings.Trim(string(got.Payload), "a") != "" {
		t.Errorf("first packet became %q %q", got.Topic, got.Payload[:10])
	}
}

// TestReaderMemory: a length that is only claimed costs no memory.
func TestReaderMemory(t *testing.T) {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	r := mqtt.NewReader(bytes.NewReader([]byte{0x30, 0xFF, 0xFF, 0xFF, 0x7F, 0}), v311, 0)
	if _, err := r.ReadPacket(); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Fatal(err)
	}
	runtime.ReadMemStats(&after)
	allocated := after.TotalAlloc - before.TotalAlloc
	if allocated > 1<<20 {
		t.Errorf("a claimed packet of 256 MiB allocated %d bytes", allocated)
	}
}

func TestWritePacket(t *testing.T) {
	var b bytes.Buffer
	if err := mqtt.WritePacket(&b, v5, &mqtt.Puback{}); err == nil || b.Len() > 0 {
		t.Errorf("WritePacket of a PUBACK without id: %v, %d bytes written", err, b.Len())
	}
	r, w := io.Pipe()
	r.Close()
	if err := mqtt.WritePacket(w, v5, &mqtt.Pingreq{}); !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("WritePacket to a closed pipe = %v", err)
	}
}
