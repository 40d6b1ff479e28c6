//go:build linux

package main

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/coder/websocket"
)

// overWebSocket is the device as it comes to s by MQTT over WebSocket over TLS. It shows a peer the same
// certificate as without WebSocket. Gatehouse gets a signature (SigV4), as AWS's devices send one: the
// authentication is a connect's, and no message's. Every action is authorized in both.
func (b *bench) overWebSocket(s *peer, d device) device {
	d.addr = s.webSocket
	d.upgrade = func(ctx context.Context) (string, error) {
		if !s.ours {
			return (&url.URL{Scheme: "wss", Host: s.webSocket, Path: "/mqtt"}).String(), nil
		}
		u := url.URL{Scheme: "wss", Host: net.JoinHostPort(b.running.Endpoint, strconv.Itoa(b.running.Ports.ALPN)), Path: "/mqtt", RawQuery: "X-Amz-Expires=60"}
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
		if err != nil {
			return "", err
		}
		empty := sha256.Sum256(nil)
		key := aws.Credentials{AccessKeyID: b.running.AccessKeyID, SecretAccessKey: b.running.SecretAccessKey}
		signed, _, err := v4.NewSigner().PresignHTTP(ctx, key, req, hex.EncodeToString(empty[:]), "iotdevicegateway", b.running.Region, time.Now())
		return signed, err
	}
	return d
}

// A webSocket carries MQTT. Close does not wait for the peer's Close frame.
type webSocket struct {
	net.Conn
	ws *websocket.Conn
}

func (c webSocket) Close() error { return c.ws.CloseNow() }

// upgraded makes tc a WebSocket.
func (d device) upgraded(tc *tls.Conn) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	address, err := d.upgrade(ctx)
	if err != nil {
		return nil, err
	}
	transport := &http.Transport{DialTLSContext: func(context.Context, string, string) (net.Conn, error) { return tc, nil }}
	ws, _, err := websocket.Dial(ctx, address, &websocket.DialOptions{ //nolint:bodyclose // the connection has it
		HTTPClient: &http.Client{Transport: transport}, Subprotocols: []string{"mqtt"},
	})
	if err != nil {
		return nil, err
	}
	ws.SetReadLimit(-1)
	return webSocket{websocket.NetConn(context.Background(), ws, websocket.MessageBinary), ws}, nil
}

// webSocketLine is [bench.flowLine] over WebSocket, for servers that speak it.
func (b *bench) webSocketLine(name string, f flow) line {
	f.perPub = b.scaled(f.perPub)
	return line{name: name, unit: micros, webSocket: true, measure: func(s *peer) (figure, error) {
		y, err := f.run(s.process, b.overWebSocket(s, b.device(s, b.ecdsa)))
		return figure{value: float64(y.cpu)}, err
	}}
}
