package gateway

import (
	"bytes"
	"slices"
	"testing"
)

// FuzzRecordTracker: what it finds does not depend on how the stream is cut.
func FuzzRecordTracker(f *testing.F) {
	f.Add([]byte("\x15\x03\x03\x00\x02\x02\x30"), uint8(3))
	f.Add([]byte("\x16\x03\x01\x00\x03\x0b\x00\x00\x15\x03\x03\x00\x02\x02\x2a"), uint8(1))
	f.Add([]byte("\x16\x03\x01\x00\x00\x15\x03\x03\x00\x02\x01\x00"), uint8(5))
	f.Fuzz(func(t *testing.T, stream []byte, size uint8) {
		var whole, cut recordTracker
		first := func(tr *recordTracker, chunks [][]byte) (alerts []byte) {
			for _, c := range chunks {
				if a := tr.feed(c); a != 0 {
					alerts = append(alerts, a)
				}
			}
			return alerts
		}
		one := first(&whole, [][]byte{stream})
		many := first(&cut, slices.Collect(slices.Chunk(stream, int(size)+1)))
		if len(one) > 0 && !slices.Contains(many, one[0]) || whole.certificate != cut.certificate {
			t.Errorf("%x: %v and certificate %v as a whole, %v and %v in pieces of %d", stream, one, whole.certificate, many, cut.certificate, int(size)+1)
		}
	})
}

// FuzzFirstBytes: sniffing never fails, and what looks like a CONNECT whole
// looks like one in part.
func FuzzFirstBytes(f *testing.F) {
	f.Add(connect)
	f.Add([]byte("GET / HTTP/1.1\r\n"))
	f.Add([]byte("\x10\xff\xff\xff\xff\x01"))
	f.Add([]byte("\x10\x15\x00\x04MQTT\x05\x02\x00\x3c\x05\x11\x00\x00\x00\x0a\x00\x03dev"))
	f.Fuzz(func(t *testing.T, p []byte) {
		kind := sniff(p)
		hello := parseConnect(p)
		if hello.clientID != "" && kind != speechMQTT {
			t.Errorf("%x has client ID %q but is %s", p, hello.clientID, kind)
		}
		if hello.clientID != "" && !bytes.Contains(p, []byte(hello.clientID)) {
			t.Errorf("%x: client ID %q is not in it", p, hello.clientID)
		}
		if kind == speechMQTT {
			for n := 1; n < min(len(p), 16); n++ {
				if !isConnect(p[:n]) {
					t.Errorf("%x is a CONNECT, its first %d bytes are not", p, n)
				}
			}
		}
	})
}

func TestParseConnect(t *testing.T) {
	for name, tt := range map[string]struct {
		packet string
		want   connectHello
	}{
		"3.1.1":     {string(connect), connectHello{clientID: "dev", level: 4}},
		"5":         {"\x10\x15\x00\x04MQTT\x05\x02\x00\x3c\x05\x11\x00\x00\x00\x0a\x00\x03dev", connectHello{clientID: "dev", level: 5}},
		"3.1":       {"\x10\x11\x00\x06MQIsdp\x03\x02\x00\x3c\x00\x03dev", connectHello{clientID: "dev", level: 3}},
		"cut short": {string(connect[:len(connect)-1]), connectHello{clientID: "", level: 4}},
		"bad UTF-8": {"\x10\x0f\x00\x04MQTT\x04\x02\x00\x3c\x00\x03\xff\xfe\xfd", connectHello{clientID: "", level: 4}},
		"custom": {
			"\x10\x37\x00\x04MQTT\x04\xc4\x00\x3c\x00\x03dev\x00\x01w\x00\x02hi\x00\x25a?x-amz-customauthorizer-name=b&Token=secret",
			connectHello{clientID: "dev", level: 4, custom: "x-amz-customauthorizer-name (user name), Token (user name)"},
		},
		"no CONNECT":  {"\x30\x05\x00\x01a", connectHello{}},
		"long length": {"\x10\x80\x80\x80\x80\x01", connectHello{}},
	} {
		t.Run(name, func(t *testing.T) {
			if got := parseConnect([]byte(tt.packet)); got != tt.want {
				t.Errorf("parseConnect(%x) = %+v, want %+v", tt.packet, got, tt.want)
			}
		})
	}
}
