package faultserver

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/gatehouse-iot/gatehouse/internal/check"
	"github.com/gatehouse-iot/gatehouse/internal/diagnose/symptom"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func start(t *testing.T, name string) (*Server, string) {
	t.Helper()
	s, err := Start("127.0.0.1", "gw.test")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Stop)
	f, err := Lookup(name)
	if err != nil {
		t.Fatal(err)
	}
	addr, err := s.Listen(t.Context(), f, 0)
	if err != nil {
		t.Fatal(err)
	}
	return s, addr.String()
}

// TestAlerts sends every alert that a fault may have, in both versions, to a
// client that reads it.
func TestAlerts(t *testing.T) {
	for n := 40; n <= 120; n++ {
		for _, suffix := range []string{"", "-tls12"} {
			if n == 90 && suffix == "" {
				continue // user_canceled: Go's client, as RFC 8446 allows, ignores it in TLS 1.3 and waits for more
			}
			name := fmt.Sprintf("alert-%d%s", n, suffix)
			s, addr := start(t, name)
			roots := x509.NewCertPool()
			roots.AppendCertsFromPEM(s.CA())
			nc, err := tls.Dial("tcp", addr, &tls.Config{RootCAs: roots, ServerName: "gw.test"})
			if err == nil {
				nc.SetDeadline(time.Now().Add(10 * time.Second))
				_, err = nc.Read(make([]byte, 1))
				nc.Close()
			}
			op, ok := errors.AsType[*net.OpError](err)
			if !ok || op.Op != "remote error" || op.Err.Error() != tls.AlertError(n).Error() {
				t.Errorf("%s: %v, want alert %v", name, err, tls.AlertError(n))
			}
			s.Stop()
		}
	}
}

// TestNames holds every fault to be found by its name.
func TestNames(t *testing.T) {
	seen := map[string]bool{}
	for _, f := range Faults() {
		if got, err := Lookup(f.Name); err != nil || got.Does != f.Does || seen[f.Name] || f.Does == "" {
			t.Errorf("%s: %v %v", f.Name, got, err)
		}
		seen[f.Name] = true
	}
	for _, bad := range []string{"", "nonsense", "alert-0", "alert-256", "alert-x", "connack-0x05", "connack-0x100", "disconnect-"} {
		if f, err := Lookup(bad); err == nil {
			t.Errorf("%q is %+v", bad, f)
		}
	}
}

// TestNear: a name that does not exist is answered with one that does.
func TestNear(t *testing.T) {
	for typed, want := range map[string]string{"alert42": "alert-42", "cert-expird": "cert-expired", "conect-close": "connect-close", "Cert-Unknown-CA": "cert-unknown-ca", "hello_silence": "hello-silence", "connack5": "connack-5"} {
		if _, err := Lookup(typed); err == nil || !strings.Contains(err.Error(), "there is "+want) {
			t.Errorf("%s: %v, want %s", typed, err, want)
		}
	}
	if _, err := Lookup("nonsense"); err == nil || strings.Contains(err.Error(), "there is") {
		t.Errorf("nonsense: %v", err)
	}
}

// TestEveryFaultListens starts every fault that is listed, all at once, and
// connects to each.
func TestEveryFaultListens(t *testing.T) {
	s, err := Start("127.0.0.1", "gw.test")
	if err != nil {
		t.Fatal(err)
	}
	defer s.Stop()
	for _, f := range Faults() {
		addr, err := s.Listen(t.Context(), f, 0)
		if err != nil {
			t.Fatalf("%s: %v", f.Name, err)
		}
		nc, err := net.Dial("tcp", addr.String())
		switch {
		case err == nil:
			nc.Close()
		case errors.Is(err, syscall.ECONNREFUSED): // a reset is what some are for
			t.Errorf("%s: %v", f.Name, err)
		}
	}
}

// TestBounds holds a port to its number of connections, and Stop to its word.
func TestBounds(t *testing.T) {
	s, addr := start(t, "accept-silence")
	var open []net.Conn
	for range maxConnections + 1 {
		nc, err := net.Dial("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		defer nc.Close()
		open = append(open, nc)
	}
	last := open[maxConnections]
	last.SetReadDeadline(time.Now().Add(10 * time.Second))
	if _, err := last.Read(make([]byte, 1)); !errors.Is(err, io.EOF) && !strings.Contains(fmt.Sprint(err), "reset") {
		t.Errorf("one connection too many was not closed: %v", err)
	}
	began := time.Now()
	s.Stop()
	if took := time.Since(began); took > 10*time.Second {
		t.Errorf("stopping took %v", took)
	}
}

// TestClients compares what is said of clients with the table of symptoms: where
// a text is known there, the fault's check is among its causes, or one that is
// hidden by it or hides it.
func TestClients(t *testing.T) {
	known, right := 0, 0
	var wrong []string
	for _, f := range Faults() {
		for _, client := range f.Clients {
			d := symptom.Explain(client.Name + ": " + client.Says)
			if !d.Known || f.Check == nil {
				continue
			}
			known++
			if slices.ContainsFunc(d.Candidates, func(c symptom.Candidate) bool { return kin(f.Check, c.Code) }) {
				right++
			} else {
				wrong = append(wrong, f.Name+", "+client.Name+": "+client.Says)
			}
		}
	}
	t.Logf("%d of %d texts that are known name the fault", right, known)
	if known < 100 || right*100 < known*75 {
		t.Errorf("%d of %d; not these:\n%s", right, known, strings.Join(wrong, "\n"))
	}
}

// kin says whether a cause is the check, or as close as what hides it.
func kin(c *check.Check, code string) bool {
	cause, ok := check.Lookup(code)
	return ok && (cause == c || slices.Contains(c.HiddenBy, cause) || slices.Contains(cause.HiddenBy, c))
}
