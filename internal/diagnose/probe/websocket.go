package probe

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"sync"
	"time"

	"github.com/coder/websocket"

	"github.com/gatehouse-iot/gatehouse/internal/check"
)

// upgrade opens the WebSocket in the TLS connection that stands.
func (p *run) upgrade(ctx context.Context, tc *tls.Conn) (net.Conn, bool) {
	header := http.Header{}
	set := func(key, value string) {
		if key != "" && value != "" {
			header.Set(key, value)
		}
	}
	set("x-amz-customauthorizer-name", p.Authorizer)
	set("x-amz-customauthorizer-signature", p.Signature)
	set(p.TokenKey, p.Token)
	used := false
	transport := &http.Transport{DialTLSContext: func(context.Context, string, string) (net.Conn, error) {
		if used {
			return nil, errNotAnnounced
		}
		used = true
		return tc, nil
	}}
	limited, cancel := context.WithTimeout(ctx, p.Timeout)
	defer cancel()
	u := url.URL{Scheme: "wss", Host: net.JoinHostPort(p.report.Facts.Endpoint, strconv.Itoa(p.report.Facts.Port)), Path: "/mqtt"}
	ws, resp, err := websocket.Dial(limited, u.String(), &websocket.DialOptions{ //nolint:bodyclose // Dial leaves nothing to be closed
		HTTPClient: &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }},
		HTTPHeader: header, Subprotocols: []string{"mqtt"}, Host: p.report.Facts.Endpoint,
	})
	switch {
	case err == nil:
		p.add(check.WebSocketUpgraded, Pass)
		return newPatient(context.WithoutCancel(ctx), ws), true
	case ctx.Err() != nil:
	case resp != nil && resp.StatusCode != http.StatusSwitchingProtocols:
		r := p.add(check.WebSocketRefused, Fail, f("reply", resp.Status), f("reason", resp.Header.Get("x-amzn-ErrorType")), f("authorizer", p.Authorizer), f("client_id", p.report.Facts.ClientID))
		r.Causes = p.connectCauses()
	case errors.Is(err, context.DeadlineExceeded):
		p.add(check.ConnectNoAnswer, Fail, f("waited", p.Timeout.String()), f("packet", "WebSocket upgrade"))
	default:
		p.add(check.WebSocketRefused, Fail, f("reply", ending(err)), f("authorizer", p.Authorizer))
	}
	return nil, false
}

// patient is a WebSocket that survives a read deadline, as the probe needs it,
// which looks whether something comes and then goes on.
type patient struct {
	net.Conn // of the WebSocket: whoever waits there in vain has closed it

	ws   *websocket.Conn
	in   net.Conn // what the WebSocket brought
	done chan struct{}

	mu  sync.Mutex
	end error // why it brings no more; guarded by mu
}

func newPatient(ctx context.Context, ws *websocket.Conn) *patient {
	in, out := net.Pipe()
	p := &patient{Conn: websocket.NetConn(ctx, ws, websocket.MessageBinary), ws: ws, in: in, done: make(chan struct{})}
	go func() {
		defer close(p.done)
		_, err := io.Copy(out, p.Conn)
		p.mu.Lock()
		p.end = err
		p.mu.Unlock()
		out.Close()
	}()
	return p
}

func (p *patient) Read(b []byte) (int, error) {
	n, err := p.in.Read(b)
	if errors.Is(err, io.EOF) {
		p.mu.Lock()
		defer p.mu.Unlock()
		if p.end != nil {
			err = p.end
		}
	}
	return n, err
}

func (p *patient) SetReadDeadline(t time.Time) error { return p.in.SetReadDeadline(t) }

// Close ends the WebSocket at once. MQTT said goodbye before, if it was to.
func (p *patient) Close() error {
	p.in.Close()
	err := p.ws.CloseNow()
	<-p.done
	return err
}
