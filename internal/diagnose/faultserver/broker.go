package faultserver

import (
	"bytes"
	"crypto/tls"
	"fmt"
	"net/http"
	"time"

	"github.com/gatehouse-iot/gatehouse/mqtt"
)

// maxPacket is AWS's: mqtt sheet 2.
const maxPacket = 128<<10 + 1<<10

// session is a client of the small broker, which knows one client at a time and
// sends it its own messages.
type session struct {
	tc      *tls.Conn
	wire    *conn
	does    behaviour
	version mqtt.Version
	filters []string
}

// maxFilters of one session: AWS's limit of a connection. mqtt sheet 6.
const maxFilters = 50

// mqtt serves MQTT until the client leaves or the fault is shown.
func (s *Server) mqtt(tc *tls.Conn, c *conn, does behaviour) {
	r := mqtt.NewReader(tc, 0, maxPacket)
	first, err := r.ReadPacket()
	connect, ok := first.(*mqtt.Connect)
	if err != nil || !ok {
		if bytes.HasPrefix(r.Buffered(), []byte("HEAD ")) || bytes.HasPrefix(r.Buffered(), []byte("GET ")) {
			fmt.Fprintf(tc, "HTTP/1.1 403 Forbidden\r\nDate: %s\r\nConnection: close\r\nContent-Length: 0\r\n\r\n", time.Now().UTC().Format(http.TimeFormat))
		}
		letGo(c, tc, closeNotify)
		return
	}
	se := &session{tc: tc, wire: c, does: does, version: connect.Version}
	if !se.welcome() {
		return
	}
	for {
		p, err := r.ReadPacket()
		if err != nil || !se.answer(p) {
			letGo(c, tc, closeNotify)
			return
		}
	}
}

// welcome answers CONNECT; false: the connection is done with.
func (s *session) welcome() bool {
	v5 := s.version == mqtt.V5
	if s.does.connect != goOn {
		letGo(s.wire, s.tc, s.does.connect)
		return false
	}
	if s.does.connectAnswer != "" {
		if _, err := s.tc.Write([]byte(s.does.connectAnswer)); err == nil {
			letGo(s.wire, s.tc, closeNotify)
		}
		return false
	}
	ack := mqtt.Connack{Reason: s.does.connack3}
	if v5 {
		ack.Reason = s.does.connack5
	}
	if !s.send(&ack) {
		return false
	}
	if ack.Reason != 0 {
		letGo(s.wire, s.tc, closeNotify)
		return false
	}
	if s.does.disconnect != 0 {
		if v5 && !s.send(&mqtt.Disconnect{Reason: s.does.disconnect}) {
			return false
		}
		letGo(s.wire, s.tc, closeNotify)
		return false
	}
	return true
}

// answer answers one packet; false: the connection is done with.
func (s *session) answer(p mqtt.Packet) bool {
	switch p := p.(type) {
	case *mqtt.Subscribe:
		return s.subscribe(p)
	case *mqtt.Unsubscribe:
		s.filters = nil
		codes := make([]mqtt.ReasonCode, len(p.Filters))
		return s.send(&mqtt.Unsuback{PacketID: p.PacketID, Codes: codes})
	case *mqtt.Publish:
		return s.publish(p)
	case *mqtt.Pingreq:
		return s.send(&mqtt.Pingresp{})
	case *mqtt.Puback:
		return true
	default: // DISCONNECT, and what AWS does not speak either
		return false
	}
}

func (s *session) subscribe(p *mqtt.Subscribe) bool {
	if s.does.subscribe == silence {
		return true
	} else if s.does.subscribe != goOn {
		return false
	}
	ack := mqtt.Suback{PacketID: p.PacketID}
	for _, f := range p.Filters {
		code := mqtt.ReasonCode(min(f.QoS, 1))
		switch {
		case s.does.subackFailure && s.version == mqtt.V5:
			code = mqtt.NotAuthorized
		case s.does.subackFailure || len(s.filters) == maxFilters:
			code = mqtt.UnspecifiedError
		default:
			s.filters = append(s.filters, string(f.Filter))
		}
		ack.Codes = append(ack.Codes, code)
	}
	return s.send(&ack)
}

func (s *session) publish(p *mqtt.Publish) bool {
	v5 := s.version == mqtt.V5
	switch {
	case s.does.publish == silence:
		return true
	case s.does.publish != goOn || s.does.pubackRefusal && !v5:
		return false
	case s.does.pubackRefusal:
		return p.QoS == 0 || s.send(&mqtt.Puback{PacketID: p.PacketID, Reason: mqtt.NotAuthorized})
	}
	if s.does.pubackDelay > 0 {
		select {
		case <-time.After(s.does.pubackDelay):
		case <-s.wire.stop:
			return false
		}
	}
	if p.QoS > 0 && !s.send(&mqtt.Puback{PacketID: p.PacketID}) {
		return false
	}
	if s.does.swallowMessage {
		return true
	}
	for _, f := range s.filters {
		if mqtt.Match(f, string(p.Topic)) {
			return s.send(&mqtt.Publish{Topic: p.Topic, Payload: p.Payload})
		}
	}
	return true
}

func (s *session) send(p mqtt.Packet) bool { return mqtt.WritePacket(s.tc, s.version, p) == nil }
