package nonblock

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// pair returns two ends of a loopback connection with small buffers, the first one wrapped.
func pair(t *testing.T) (*Conn, *net.TCPConn) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	peer, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	nc, err := ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	nc.(*net.TCPConn).SetWriteBuffer(4 << 10)
	peer.(*net.TCPConn).SetReadBuffer(4 << 10)
	t.Cleanup(func() { nc.Close(); peer.Close() })
	c, ok := New(nc).(*Conn)
	if !ok {
		t.Skip("this platform writes with waiting")
	}
	return c, peer.(*net.TCPConn)
}

func TestWriteDoesNotWait(t *testing.T) {
	c, peer := pair(t)
	var sent bytes.Buffer
	block := make([]byte, 16<<10)
	for i := 0; !c.Congested(); i++ {
		for j := range block {
			block[j] = byte(i*7 + j)
		}
		// The peer reads nothing. Nothing else would end this Write either: if it waited, the test would hang.
		n, err := c.Write(block)
		if n != len(block) || err != nil {
			t.Fatalf("Write: %d, %v", n, err)
		}
		sent.Write(block)
	}
	c.Write([]byte("and more")) // goes behind what waits
	sent.WriteString("and more")
	closed := make(chan error)
	go func() { closed <- c.CloseWrite() }()
	got, err := io.ReadAll(peer)
	if err != nil || !bytes.Equal(got, sent.Bytes()) {
		t.Errorf("the peer got %d bytes, %v; want the %d that were sent, in order", len(got), err, sent.Len())
	}
	if err := <-closed; err != nil {
		t.Error(err)
	}
	if c.Congested() || c.backlog != nil {
		t.Error("something is kept after all was sent")
	}
}

func TestWriteFails(t *testing.T) {
	c, _ := pair(t)
	for !c.Congested() {
		if _, err := c.Write(make([]byte, 16<<10)); err != nil {
			t.Fatal(err)
		}
	}
	c.SetWriteDeadline(time.Unix(1, 0)) // wakes whoever sends
	if _, err := c.Write(make([]byte, maxBacklog)); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("Write after the deadline: %v", err)
	}
	if err := c.CloseWrite(); err != nil {
		t.Errorf("CloseWrite: %v", err)
	}
	c.Close()
	if _, err := c.Write([]byte("x")); err == nil {
		t.Error("Write after Close succeeded")
	}
}

func TestPipe(t *testing.T) {
	a, b := net.Pipe()
	defer a.Close()
	defer b.Close()
	if New(a) != a {
		t.Error("a pipe has no socket")
	}
}

func TestWriteAllocs(t *testing.T) {
	c, peer := pair(t)
	go io.Copy(io.Discard, peer)
	p := make([]byte, 64)
	if n := testing.AllocsPerRun(100, func() { c.Write(p) }); n >= 1 {
		t.Errorf("%v allocations for a Write", n)
	}
}
