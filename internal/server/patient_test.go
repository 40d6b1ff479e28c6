package server

import (
	"errors"
	"net"
	"os"
	"syscall"
	"testing"
	"time"
)

// failing is a listener whose accept fails with each of errs before it accepts.
type failing struct {
	net.Listener
	errs []error
}

func (f *failing) Accept() (net.Conn, error) {
	if len(f.errs) > 0 {
		err := f.errs[0]
		f.errs = f.errs[1:]
		return nil, &net.OpError{Op: "accept", Net: "tcp", Err: os.NewSyscallError("accept4", err)}
	}
	return f.Listener.Accept()
}

func loopback(t *testing.T) net.Listener {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	return ln
}

func dial(t *testing.T, ln net.Listener) net.Conn {
	t.Helper()
	nc, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { nc.Close() })
	return nc
}

// What the peer's network brings about does not end the server; what is wrong
// with the listener does.
func TestAcceptGoesOn(t *testing.T) {
	ln := loopback(t)
	l := patient(&failing{ln, []error{syscall.EPROTO, syscall.EPERM, syscall.EHOSTUNREACH}}, 0)
	dial(t, ln)
	nc, err := l.Accept()
	if err != nil {
		t.Fatalf("Accept after passing failures: %v", err)
	}
	nc.Close()
	for _, want := range []error{syscall.EMFILE, syscall.EINVAL} { // the first is for who accepts to handle
		l := patient(&failing{ln, []error{want}}, 1)
		if _, err := l.Accept(); !errors.Is(err, want) {
			t.Errorf("Accept = %v, want %v", err, want)
		}
		if len(l.places) != 0 {
			t.Errorf("%v took a place", want)
		}
	}
}

func TestConnectionsAreBounded(t *testing.T) {
	l := patient(loopback(t), 1)
	dial(t, l)
	dial(t, l)
	first, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	second := make(chan error)
	accept := func() {
		nc, err := l.Accept()
		if err == nil {
			nc.Close()
		}
		second <- err
	}
	go accept()
	select {
	case err := <-second:
		t.Fatalf("a second connection while the first is open: %v", err)
	case <-time.After(50 * time.Millisecond): // as long as a bound that does not hold would need
	}
	first.Close()
	first.Close() // gives its place back once
	if err := <-second; err != nil {
		t.Fatal(err)
	}
	if len(l.places) != 0 {
		t.Errorf("%d places are taken, and nobody is there", len(l.places))
	}
	dial(t, l)
	third, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer third.Close()
	if half, ok := third.(interface{ CloseWrite() error }); !ok || half.CloseWrite() != nil {
		t.Error("the connection can't end its side only")
	}
	go accept()
	l.Close()
	if err := <-second; !errors.Is(err, net.ErrClosed) {
		t.Errorf("Accept of a closed listener = %v, want ErrClosed", err)
	}
}
