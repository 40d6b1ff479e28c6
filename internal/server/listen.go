package server

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"syscall"
)

// PortError is a port that could not be bound: which flag chose it, and who has it.
type PortError struct {
	Flag  string // the flag that moves it: "--mqtt-port"
	Port  int
	Owner string // "mosquitto (pid 123)", or "" when this system does not tell
	Err   error  // what the operating system said
}

func (e *PortError) Error() string {
	switch {
	case errors.Is(e.Err, syscall.EADDRINUSE) && e.Owner != "":
		return fmt.Sprintf("port %d (%s) is in use by %s", e.Port, e.Flag, e.Owner)
	case errors.Is(e.Err, syscall.EADDRINUSE):
		return fmt.Sprintf("port %d (%s) is in use by another process", e.Port, e.Flag)
	case errors.Is(e.Err, syscall.EACCES):
		return fmt.Sprintf("port %d (%s) needs more rights than this process has", e.Port, e.Flag)
	}
	return fmt.Sprintf("listen on port %d (%s): %v", e.Port, e.Flag, e.Err)
}

func (e *PortError) Unwrap() error { return e.Err }

// listen binds host:port; a failure is a *PortError that names flag.
// Connections have no TCP keep-alive: devices are missed by MQTT's, as on AWS,
// HTTP has its time limits, and four system calls for each connection are saved.
func listen(ctx context.Context, host string, port int, flag string) (net.Listener, error) {
	lc := net.ListenConfig{KeepAlive: -1}
	ln, err := lc.Listen(ctx, "tcp", net.JoinHostPort(host, strconv.Itoa(port)))
	if err != nil {
		return nil, &PortError{Flag: flag, Port: port, Owner: portOwner(port), Err: err}
	}
	return patient(ln, 0), nil
}

// doors are the four listening sockets of a Gatehouse.
type doors struct {
	mqtt, https, alpn, api net.Listener
}

// close closes what is still open: whoever served a listener has closed it.
func (d *doors) close() error {
	for _, ln := range []net.Listener{d.mqtt, d.https, d.alpn, d.api} {
		if ln != nil {
			ln.Close()
		}
	}
	return nil
}

// openDoors binds all four ports, or none. The ALPN port alone has a fallback: a
// person without the right to bind 443 still gets every other door (DESIGN, flags).
func openDoors(ctx context.Context, cfg *Config) (_ *doors, err error) {
	d := &doors{}
	defer func() {
		if err != nil {
			_ = d.close()
		}
	}()
	if d.mqtt, err = listen(ctx, cfg.Host, cfg.MQTTPort, "--mqtt-port"); err != nil {
		return nil, err
	}
	if d.https, err = listen(ctx, cfg.Host, cfg.HTTPSPort, "--https-port"); err != nil {
		return nil, err
	}
	if d.alpn, err = listen(ctx, cfg.Host, cfg.ALPNPort, "--alpn-port"); err != nil {
		if cfg.ALPNPort != DefaultALPNPort {
			return nil, err
		}
		cfg.Log.Warn("cannot bind port 443, using the fallback", "port", FallbackALPNPort, "error", err.Error())
		if d.alpn, err = listen(ctx, cfg.Host, FallbackALPNPort, "--alpn-port"); err != nil {
			return nil, err
		}
	}
	if d.api, err = listen(ctx, cfg.Host, cfg.APIPort, "--api-port"); err != nil {
		return nil, err
	}
	d.api = patient(d.api, maxAPIConnections)
	return d, nil
}

func portOf(ln net.Listener) int { return ln.Addr().(*net.TCPAddr).Port }
