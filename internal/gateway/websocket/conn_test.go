package websocket

import (
	"bufio"
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/binary"
	"errors"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var certificate = sync.OnceValue(func() tls.Certificate {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		panic(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
})

// pair returns a Conn and the other end of its TLS connection.
func pair(t testing.TB) (*Conn, *tls.Conn) {
	t.Helper()
	a, b := net.Pipe()
	server := tls.Server(a, &tls.Config{Certificates: []tls.Certificate{certificate()}})
	client := tls.Client(b, &tls.Config{InsecureSkipVerify: true})
	done := make(chan error, 1)
	go func() { done <- server.HandshakeContext(context.Background()) }()
	if err := errors.Join(client.HandshakeContext(context.Background()), <-done); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { a.Close(); b.Close() })
	return New(server, server), client
}

// frame is a frame as clients send it.
func frame(first byte, payload string) []byte {
	b := []byte{first}
	switch n := len(payload); {
	case n < 126:
		b = append(b, bitMask|byte(n))
	case n < 1<<16:
		b = binary.BigEndian.AppendUint16(append(b, bitMask|126), uint16(n))
	default:
		b = binary.BigEndian.AppendUint64(append(b, bitMask|127), uint64(n))
	}
	mask := []byte{1, 2, 3, 4}
	b = append(b, mask...)
	for i := range len(payload) {
		b = append(b, payload[i]^mask[i&3])
	}
	return b
}

// TestRead reads frames of every shape, and says what is wrong with the others.
func TestRead(t *testing.T) {
	join := func(parts ...[]byte) []byte { return bytes.Join(parts, nil) }
	long := strings.Repeat("x", 70_000)
	unmasked := []byte{bitFinal | opBinary, 1, 'x'}
	for name, tt := range map[string]struct {
		send []byte
		want string
		err  string // "" for the end without a Close frame
		sent []byte // what the peer is told
	}{
		"one frame":          {frame(0x82, "hello"), "hello", "", nil},
		"no payload":         {join(frame(0x82, ""), frame(0x82, "a")), "a", "", nil},
		"sizes":              {join(frame(0x82, long[:125]), frame(0x82, long[:126]), frame(0x82, long)), long[:251] + long, "", nil},
		"fragments":          {join(frame(0x02, "a"), frame(0x00, "b"), frame(0x80, "c")), "abc", "", nil},
		"ping in a message":  {join(frame(0x02, "a"), frame(0x89, "p"), frame(0x80, "b")), "ab", "", []byte{0x8A, 1, 'p'}},
		"pong":               {join(frame(0x8A, "p"), frame(0x82, "a")), "a", "", nil},
		"close":              {join(frame(0x82, "a"), frame(0x88, "\x03\xe9gone"), frame(0x82, "b")), "a", ErrClosed.Error(), []byte{0x88, 2, 0x03, 0xe9}},
		"close without code": {frame(0x88, ""), "", ErrClosed.Error(), []byte{0x88, 2, 0x03, 0xe8}},
		"half a code":        {frame(0x88, "\x03"), "", "websocket: a Close frame with half a code", []byte{0x88, 2, 0x03, 0xea}},
		"code 1005":          {frame(0x88, "\x03\xed"), "", "websocket: a Close frame with the code 1005", []byte{0x88, 2, 0x03, 0xea}},
		"bad reason":         {frame(0x88, "\x03\xe8\xff"), "", "websocket: a Close frame whose reason is not UTF-8", []byte{0x88, 2, 0x03, 0xef}},
		"text":               {frame(0x81, "a"), "", "websocket: a text frame; MQTT needs binary frames", []byte{0x88, 2, 0x03, 0xeb}},
		"reserved bit":       {frame(0xC2, "a"), "", "websocket: a reserved bit is set, and no extension was agreed", []byte{0x88, 2, 0x03, 0xea}},
		"unmasked":           {unmasked, "", "websocket: a frame of a client is not masked", []byte{0x88, 2, 0x03, 0xea}},
		"lone continuation":  {frame(0x80, "a"), "", "websocket: a continuation of no message", []byte{0x88, 2, 0x03, 0xea}},
		"nested message":     {join(frame(0x02, "a"), frame(0x82, "b")), "a", "websocket: a new message inside of a fragmented one", []byte{0x88, 2, 0x03, 0xea}},
		"unknown opcode":     {frame(0x83, "a"), "", "websocket: the unknown opcode 3", []byte{0x88, 2, 0x03, 0xea}},
		"unknown control":    {frame(0x8B, "a"), "", "websocket: the unknown opcode 11", []byte{0x88, 2, 0x03, 0xea}},
		"long ping":          {frame(0x89, long[:126]), "", "websocket: a control frame that is fragmented or longer than 125 bytes", []byte{0x88, 2, 0x03, 0xea}},
		"fragmented ping":    {frame(0x09, "a"), "", "websocket: a control frame that is fragmented or longer than 125 bytes", []byte{0x88, 2, 0x03, 0xea}},
		"endless size":       {append([]byte{0x82, 0xFF}, bytes.Repeat([]byte{0xFF}, 12)...), "", "websocket: a payload of more than 2^63 bytes", []byte{0x88, 2, 0x03, 0xea}},
		"many pongs":         {join(bytes.Repeat(frame(0x8A, ""), maxHollow), frame(0x82, "a")), "a", "", nil},
		"a flood of pongs":   {bytes.Repeat(frame(0x8A, ""), 3*maxHollow), "", "websocket: more than 100 frames without content in a second", []byte{0x88, 2, 0x03, 0xf0}},
		"a flood of nothing": {bytes.Repeat(frame(0x82, ""), 3*maxHollow), "", "websocket: more than 100 frames without content in a second", []byte{0x88, 2, 0x03, 0xf0}},
		"cut":                {frame(0x82, "hello")[:8], "he", "", nil},
	} {
		t.Run(name, func(t *testing.T) {
			c, peer := pair(t)
			told := make(chan []byte, 1)
			go func() {
				peer.Write(tt.send)
				peer.CloseWrite()
			}()
			go func() { b, _ := io.ReadAll(peer); told <- b }()
			got, err := io.ReadAll(c)
			if string(got) != tt.want {
				t.Errorf("read %.40q, want %.40q", got, tt.want)
			}
			switch {
			case tt.err == "" && !errors.Is(err, io.ErrUnexpectedEOF):
				t.Errorf("error %v, want an end without a Close frame", err)
			case tt.err != "" && (err == nil || err.Error() != tt.err):
				t.Errorf("error %v, want %q", err, tt.err)
			}
			if _, again := c.Read(make([]byte, 1)); tt.err != "" && !errors.Is(again, err) {
				t.Errorf("the next read fails with %v, want %v", again, err)
			}
			c.Conn.CloseWrite()
			if sent := <-told; !bytes.Equal(sent, tt.sent) {
				t.Errorf("the peer is told %x, want %x", sent, tt.sent)
			}
		})
	}
}

// TestDeadline: a read that a deadline ends leaves the connection able to write,
// and to be read on.
func TestDeadline(t *testing.T) {
	c, peer := pair(t)
	told := make(chan []byte, 1)
	go func() { b := make([]byte, 4); io.ReadFull(peer, b); told <- b }()
	c.SetReadDeadline(time.Unix(1, 0))
	if _, err := c.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatalf("read after the deadline: %v", err)
	}
	if _, err := c.Write([]byte("ab")); err != nil {
		t.Fatal(err)
	}
	if got := <-told; !bytes.Equal(got, []byte{0x82, 2, 'a', 'b'}) {
		t.Errorf("the peer got %x", got)
	}
}

// TestWrite makes one frame of each write.
func TestWrite(t *testing.T) {
	c, peer := pair(t)
	go func() {
		for _, n := range []int{0, 125, 126, 16 << 10, 70_000} {
			c.Write(bytes.Repeat([]byte{'x'}, n))
		}
		c.CloseWrite()
	}()
	got, _ := io.ReadAll(peer)
	for _, header := range [][]byte{{0x82, 0}, {0x82, 125}, {0x82, 126, 0, 126}, {0x82, 126, 0x40, 0}, {0x82, 127, 0, 0, 0, 0, 0, 1, 0x11, 0x70}} {
		if !bytes.HasPrefix(got, header) {
			t.Fatalf("frame begins with %x, want %x", got[:min(len(got), 10)], header)
		}
		n := int(header[1])
		switch n {
		case 126:
			n = int(binary.BigEndian.Uint16(header[2:]))
		case 127:
			n = int(binary.BigEndian.Uint64(header[2:]))
		}
		got = got[len(header)+n:]
	}
	if !bytes.Equal(got, []byte{0x88, 2, 0x03, 0xe8}) {
		t.Errorf("at the end comes %x, want a Close frame", got)
	}
}

// FuzzRead: whatever comes, reading ends, and a stream in one frame is what it was.
func FuzzRead(f *testing.F) {
	f.Add(frame(0x82, "hello"), uint8(1))
	f.Add(append(frame(0x02, "a"), frame(0x89, "p")...), uint8(3))
	f.Add([]byte{0x82, 0xFF, 0, 0, 0, 0, 0, 0, 0, 1, 1, 2, 3, 4}, uint8(9))
	shared, peer := pair(f) // what is sent goes there
	drained := make(chan struct{})
	go func() { defer close(drained); io.Copy(io.Discard, peer) }()
	f.Cleanup(func() { shared.Conn.CloseWrite(); <-drained })
	f.Fuzz(func(t *testing.T, stream []byte, size uint8) {
		read := func(b []byte) string {
			c := New(shared.Conn, iotestReader{bytes.NewReader(b), int(size) + 1})
			got, err := io.ReadAll(c)
			if err == nil {
				t.Fatal("the end of the stream is an end in good order")
			}
			return string(got)
		}
		read(stream)
		if got := read(frame(0x82, string(stream))); got != string(stream) {
			t.Errorf("%x came out as %x", stream, got)
		}
	})
}

// iotestReader returns at most n bytes at a time.
type iotestReader struct {
	r io.Reader
	n int
}

func (r iotestReader) Read(p []byte) (int, error) { return r.r.Read(p[:min(len(p), r.n)]) }

// FuzzHandshake: a request that net/http reads is judged without failing, and
// what is accepted has what the answer needs.
func FuzzHandshake(f *testing.F) {
	f.Add("GET /mqtt HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: keep-alive, Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: chat, mqtt\r\n\r\n")
	f.Add("GET /mqtt?X-Amz-Signature=00 HTTP/1.1\r\nHost: x\r\nUpgrade: WebSocket\r\n\r\n")
	f.Fuzz(func(t *testing.T, request string) {
		r, err := http.ReadRequest(bufio.NewReader(strings.NewReader(request)))
		if err != nil {
			return
		}
		name := Subprotocol(r)
		if CheckHandshake(r) != nil {
			return
		}
		answer, err := http.ReadResponse(bufio.NewReader(bytes.NewReader(AppendAccept(nil, r, name, ""))), r)
		if err != nil || answer.StatusCode != http.StatusSwitchingProtocols || answer.Header.Get("Sec-WebSocket-Protocol") != name {
			t.Errorf("%q is answered %v, %v", request, answer, err)
		}
	})
}

// TestHandshake names what is missing. Source: RFC 6455 section 1.3 for the answer.
func TestHandshake(t *testing.T) {
	header := func() http.Header {
		return http.Header{
			"Upgrade": {"websocket"}, "Connection": {"keep-alive, Upgrade"}, "Sec-Websocket-Version": {"13"}, "Sec-Websocket-Key": {"dGhlIHNhbXBsZSBub25jZQ=="},
		}
	}
	for name, tt := range map[string]struct {
		change func(*http.Request)
		want   string
	}{
		"good":       {func(*http.Request) {}, ""},
		"POST":       {func(r *http.Request) { r.Method = "POST" }, "the method is not GET"},
		"HTTP/1.0":   {func(r *http.Request) { r.ProtoMinor = 0 }, "HTTP/1.0 knows no upgrade"},
		"upgrade":    {func(r *http.Request) { r.Header.Del("Upgrade") }, "the header Upgrade: websocket is missing"},
		"connection": {func(r *http.Request) { r.Header.Set("Connection", "close") }, "the header Connection: Upgrade is missing"},
		"version":    {func(r *http.Request) { r.Header.Set("Sec-WebSocket-Version", "8") }, "the header Sec-WebSocket-Version: 13 is missing"},
		"key":        {func(r *http.Request) { r.Header.Set("Sec-WebSocket-Key", "short") }, "the header Sec-WebSocket-Key is not 16 bytes in base64"},
	} {
		t.Run(name, func(t *testing.T) {
			r := &http.Request{Method: "GET", ProtoMajor: 1, ProtoMinor: 1, Header: header()}
			tt.change(r)
			got := ""
			if err := CheckHandshake(r); err != nil {
				got = err.Error()
			}
			if got != tt.want {
				t.Errorf("CheckHandshake = %q, want %q", got, tt.want)
			}
		})
	}
	r := &http.Request{Method: "GET", ProtoMajor: 1, ProtoMinor: 1, Header: header()}
	if got := string(AppendAccept(nil, r, "mqtt", "")); !strings.Contains(got, "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n") {
		t.Errorf("answer %q", got)
	}
}
