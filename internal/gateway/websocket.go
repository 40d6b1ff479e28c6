package gateway

import (
	"io"
	"net/http"
	"time"

	"github.com/gatehouse-iot/gatehouse/internal/attempt"
	"github.com/gatehouse-iot/gatehouse/internal/check"
	"github.com/gatehouse-iot/gatehouse/internal/gateway/mqttconn"
	"github.com/gatehouse-iot/gatehouse/internal/gateway/websocket"
	"github.com/gatehouse-iot/gatehouse/policy"
)

// What is so for every WebSocket. Source: connect sheet 7; mqtt sheet 13.
const (
	webSocketPath     = "/mqtt"
	webSocketLifetime = 24 * time.Hour
)

// upgrade makes the connection a WebSocket that carries MQTT, and tells whether
// it did. A refusal is a plain HTTP answer. Source: connect sheet 7.
func (hc *httpConn) upgrade(w http.ResponseWriter, r *http.Request, at *attempt.Attempt) bool {
	c := hc.c
	refuse := func(a *httpAnswer) bool {
		hc.diagnosis(w, at)
		a.write(w, at.ID())
		return false
	}
	if err := websocket.CheckHandshake(r); err != nil {
		at.Fail(check.WebSocketHandshake, attempt.F("method", r.Method), attempt.F("path", r.URL.Path), attempt.F("reason", err.Error()))
		return refuse(&answerBadRequest)
	}
	if c.refusedBefore("") {
		return refuse(&answerForbidden)
	}
	refused := hc.wrongProtocol(r, true, at)
	var who caller
	if refused == nil {
		who, refused = hc.authenticate(r.Context(), r, nil, true, at)
	}
	if refused != nil {
		return refuse(refused)
	}
	subprotocol := websocket.Subprotocol(r)
	if subprotocol == "" {
		at.Warn(check.WebSocketSubprotocol, attempt.F("offered", clipText(r.Header.Get("Sec-WebSocket-Protocol"))))
	}
	_, rw, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return refuse(hc.failed(r.Context(), at, "upgrade", err))
	}
	early := make([]byte, rw.Reader.Buffered()) // frames that came with the request
	_, _ = io.ReadFull(rw.Reader, early)        // they are there
	answer := websocket.AppendAccept(nil, r, subprotocol, "x-amzn-RequestId: "+at.ID()+"\r\n")
	at.Pass(check.WebSocketUpgraded, attempt.F("offered", subprotocol))
	at.SetProtocol("WebSocket")
	if at != c.at {
		c.at.End() // of the connection's first request
		c.at = at
	}
	// A goroutine of its own: net/http's buffers and stack are not needed any more.
	c.s.serving.run(func() {
		c.uncut = c.heedCut()
		c.goOn(c.carryWebSocket(r, who, answer, early))
	})
	hc.release()
	return true
}

// carryWebSocket carries MQTT inside of the WebSocket until the connection ends or rests.
// r asked for it; answer is what is left to say of the handshake, early what came after it.
func (c *session) carryWebSocket(r *http.Request, who caller, answer, early []byte) mqttconn.Rest {
	c.tls.SetDeadline(time.Now().Add(goodbye))
	if _, err := c.tls.Write(answer); err != nil {
		c.closedBeforeData(err)
		return nil
	}
	c.tls.SetDeadline(time.Time{})
	var source io.Reader = c.tls
	if len(early) > 0 {
		source = &prefixed{Conn: c.tls, first: early}
	}
	ws := websocket.New(c.tls, source)
	lifetime := mqttconn.Lifetime{Ends: time.Now().Add(webSocketLifetime), By: mqttconn.WebSocketLifetime}
	if who.who.ID == "" {
		return c.stranger(ws, r, policy.WSS, lifetime)
	}
	return c.serveMQTT(ws, who, policy.WSS, lifetime, nil)
}
