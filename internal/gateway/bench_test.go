package gateway

import (
	"crypto/tls"
	"io"
	"net"
	"os"
	"runtime"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/gatehouse-iot/gatehouse/internal/registry"
)

// cpu returns the CPU time of this process so far.
func cpu(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkConnect compares a connect up to CONNACK with a bare handshake of
// crypto/tls that also requires a client certificate: same keys, same client,
// whose cost is in both figures.
func BenchmarkConnect(b *testing.B) {
	d := issued(b, registry.StatusActive)
	client := clientConfig(tls.VersionTLS13, endpointHost, d.cert)
	dial := func(b *testing.B, addr string) {
		tc, err := tls.Dial("tcp", addr, client)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := tc.Write(connect); err != nil {
			b.Fatal(err)
		}
		if _, err := io.ReadFull(tc, make([]byte, 4)); err != nil {
			b.Fatal(err)
		}
		tc.Close()
	}
	run := func(b *testing.B, addr string) {
		dial(b, addr)
		before := cpu(b)
		for b.Loop() {
			dial(b, addr)
		}
		b.ReportMetric(float64(cpu(b)-before)/float64(b.N)/1e3, "cpu-us/op")
	}
	b.Run("bare", func(b *testing.B) {
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			b.Fatal(err)
		}
		defer ln.Close()
		cfg := &tls.Config{GetCertificate: world.authority.ServerCertificate, ClientAuth: tls.RequireAnyClientCert, SessionTicketsDisabled: true}
		go func() {
			for {
				nc, err := ln.Accept()
				if err != nil {
					return
				}
				go func() {
					defer nc.Close()
					tc := tls.Server(nc, cfg)
					if _, err := tc.Read(make([]byte, 64)); err == nil {
						tc.Write([]byte{0x20, 2, 0, 0})
						io.Copy(io.Discard, tc)
					}
				}()
			}
		}()
		run(b, ln.Addr().String())
	})
	b.Run("gateway", func(b *testing.B) { r := newRig(b, nil); run(b, r.addr[DoorMQTT]) })
}

// TestIdleMemory prints the memory of an idle connection, server and client
// side by side in this process. It asserts nothing: run it with
// GATEHOUSE_IDLE=2000.
func TestIdleMemory(t *testing.T) {
	n, err := strconv.Atoi(os.Getenv("GATEHOUSE_IDLE"))
	if err != nil {
		t.Skip("GATEHOUSE_IDLE is not set")
	}
	d := issued(t, registry.StatusActive)
	used := func() uint64 {
		runtime.GC()
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapInuse + m.StackInuse
	}
	measure := func(dial func() net.Conn) float64 {
		conns := make([]net.Conn, n)
		before := used()
		for i := range conns {
			conns[i] = dial()
		}
		per := float64(used()-before) / float64(n) / 1024
		for _, c := range conns {
			c.Close()
		}
		return per
	}
	r := newRig(t, nil)
	client := clientConfig(tls.VersionTLS13, endpointHost, d.cert)
	both := measure(func() net.Conn {
		tc, err := tls.Dial("tcp", r.addr[DoorMQTT], client)
		if err != nil {
			t.Fatal(err)
		}
		tc.Write(connect)
		io.ReadFull(tc, make([]byte, 4))
		return tc
	})
	t.Logf("%.1f KiB for the server and the client of an idle connection", both)
}
