package nonblock

import (
	"bytes"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"os"
	"syscall"
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
	go func() {
		c.Settle()
		if c.Congested() {
			t.Error("settled, and a write would wait")
		}
		closed <- c.CloseWrite()
	}()
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

// TestOnWait: a Read that has nothing to read says so before it waits, and sees what comes meanwhile.
func TestOnWait(t *testing.T) {
	c, peer := pair(t)
	said := 0
	c.OnWait(func() {
		said++
		c.Write([]byte("?"))
		if _, err := io.ReadFull(peer, make([]byte, 1)); err != nil {
			t.Error(err)
		}
		if _, err := peer.Write([]byte("answer")); err != nil {
			t.Error(err)
		}
	})
	p := make([]byte, 3)
	for _, want := range []string{"ans", "wer"} { // the second one needs not wait
		if n, err := c.Read(p); err != nil || string(p[:n]) != want {
			t.Fatalf("Read: %q, %v, want %q", p[:n], err, want)
		}
	}
	if said != 1 {
		t.Errorf("asked %d times, want 1", said)
	}
	c.OnWait(nil)
	if n, err := c.Read(nil); n != 0 || err != nil {
		t.Errorf("Read of nothing: %d, %v", n, err)
	}
	peer.CloseWrite()
	if n, err := c.Read(p); n != 0 || !errors.Is(err, io.EOF) {
		t.Errorf("Read at the end: %d, %v", n, err)
	}
}

// TestReadFails: failures look like those of any other connection.
func TestReadFails(t *testing.T) {
	c, peer := pair(t)
	c.SetReadDeadline(time.Unix(1, 0))
	_, err := c.Read(make([]byte, 1))
	if e, ok := errors.AsType[*net.OpError](err); !ok || e.Op != "read" || !e.Timeout() || !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("Read after the deadline: %v", err)
	}
	c.SetReadDeadline(time.Time{})
	peer.SetLinger(0) // closing resets the connection
	peer.Close()
	_, err = c.Read(make([]byte, 1))
	if e, ok := errors.AsType[*net.OpError](err); !ok || e.Op != "read" || e.Addr.String() != c.RemoteAddr().String() || !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("Read of a reset connection: %v", err)
	}
	c.Close()
	if _, err := c.Read(make([]byte, 1)); !errors.Is(err, net.ErrClosed) {
		t.Errorf("Read after Close: %v", err)
	}
}

// TestWaitRead: it returns when there is something to read, takes nothing, and what it finds broken is
// still told by Read.
func TestWaitRead(t *testing.T) {
	c, peer := pair(t)
	c.OnWait(func() { t.Error("a wait that reads nothing said so") })
	waited := make(chan error)
	wait := func() { waited <- c.WaitRead() }
	go wait()
	peer.Write([]byte("x"))
	if err := <-waited; err != nil {
		t.Fatal(err)
	}
	c.OnWait(nil)
	p := make([]byte, 2)
	if n, err := c.Read(p); n != 1 || err != nil || p[0] != 'x' {
		t.Errorf("Read: %q, %v, want all that was sent", p[:n], err)
	}
	go wait()
	c.SetReadDeadline(time.Unix(1, 0))
	if err := <-waited; !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("WaitRead after the deadline: %v", err)
	}
	c.SetReadDeadline(time.Time{})
	go wait()
	peer.SetLinger(0) // closing resets the connection
	peer.Close()
	if err := <-waited; err != nil {
		t.Error(err)
	}
	if _, err := c.Read(p); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("Read of a reset connection: %v", err)
	}
	if n, err := c.Read(p); n != 0 || err == nil {
		t.Errorf("the Read after that: %d, %v", n, err)
	}
}

func TestFind(t *testing.T) {
	c, _ := pair(t)
	if got, ok := Find[*Conn](tls.Server(c, &tls.Config{})); got != c || !ok {
		t.Errorf("under TLS: %v, %v", got, ok)
	}
	if got, ok := Find[*net.TCPConn](c); got == nil || !ok {
		t.Errorf("under the connection: %v, %v", got, ok)
	}
	if got, ok := Find[*tls.Conn](c); got != nil || ok {
		t.Errorf("what is not there: %v, %v", got, ok)
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

func TestReadAllocs(t *testing.T) {
	c, peer := pair(t)
	c.OnWait(func() {})
	one, p := []byte{1}, make([]byte, 64)
	if n := testing.AllocsPerRun(100, func() { peer.Write(one); _, _ = c.Read(p) }); n >= 1 {
		t.Errorf("%v allocations for a Read", n)
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
