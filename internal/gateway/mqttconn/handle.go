package mqttconn

import (
	"errors"
	"strconv"
	"strings"
	"time"

	"github.com/gatehouse-iot/gatehouse/internal/attempt"
	"github.com/gatehouse-iot/gatehouse/internal/check"
	"github.com/gatehouse-iot/gatehouse/mqtt"
)

// handle does what one packet asks for. It returns how the connection ends, or nil.
func (k *conn) handle(header byte, body []byte) *ending {
	t := mqtt.TypeOf(header)
	k.lastPacket.Store(uint32(t))
	if k.custom != nil && (t == mqtt.TypePublish && k.custom.Expired() || t == mqtt.TypeSubscribe && k.custom.Expiring()) {
		k.idle() // what came before it does not wait too
		k.begin()
		if e := k.confirm(); e != nil {
			return e
		}
	}
	if t != mqtt.TypePublish {
		k.tellAccepted()
	}
	e := k.handlePacket(t, header, body)
	if e != nil {
		k.sawEnd(t, e)
	}
	return e
}

func (k *conn) handlePacket(t mqtt.PacketType, header byte, body []byte) *ending {
	switch t {
	case mqtt.TypePublish:
		return k.publish(header, body)
	case mqtt.TypePuback:
		if err := k.work.puback.Decode(k.version, header, body); err != nil {
			return k.broken(err, header)
		}
		k.work.batch.Ack(k.client, k.work.puback.PacketID) // a negative one acknowledges too (mqtt sheet 7)
		return nil
	case mqtt.TypePingreq:
		if len(body) > 0 {
			return k.broken(new(mqtt.Pingreq).Decode(k.version, header, body), header)
		}
		k.work.out = mqtt.AppendPingresp(k.work.out)
		k.work.pings++
		return nil
	case mqtt.TypeSubscribe:
		return k.subscribe(header, body)
	case mqtt.TypeUnsubscribe:
		return k.unsubscribe(header, body)
	case mqtt.TypeDisconnect:
		return k.disconnect(header, body)
	case mqtt.TypeConnect:
		k.at.Fail(check.MQTTSecondConnect, attempt.F("packet", t.String()))
	case mqtt.TypePubrec, mqtt.TypePubrel, mqtt.TypePubcomp, mqtt.TypeAuth:
		k.at.Fail(check.MQTTUnexpectedPacket, attempt.F("packet", t.String()))
	default:
		k.at.Fail(check.MQTTProtocolError, attempt.F("packet", t.String()), attempt.F("reason", t.String()+" is a packet that only servers send"))
	}
	return &ending{code: mqtt.ProtocolError, reason: clientError}
}

// broken ends the connection because of a packet that can't be read. Source: mqtt sheet 13.
func (k *conn) broken(err error, header byte) *ending {
	var bad *mqtt.Error
	if !errors.As(err, &bad) {
		return k.failed("decode "+mqtt.TypeOf(header).String(), err)
	}
	e := &ending{code: bad.Code, reason: clientError}
	switch bad.Code {
	case mqtt.PacketTooLarge:
		k.packetTooLarge(bad)
	case mqtt.TopicAliasInvalid:
		k.at.Fail(check.LimitTopicAlias, append(malformedEvidence(bad), attempt.F("required", strconv.Itoa(maxTopicAlias)))...)
	case mqtt.ProtocolError:
		k.at.Fail(check.MQTTProtocolError, malformedEvidence(bad)...)
	default:
		k.at.Fail(check.MQTTMalformed, malformedEvidence(bad)...)
		if !bad.Code.ValidIn(mqtt.V5, mqtt.TypeDisconnect) {
			e.code = mqtt.MalformedPacket
		}
	}
	return e
}

// disconnect: the client goes. Its will is not published, unless it says so. Source: mqtt sheet 4.1, 9.
func (k *conn) disconnect(header byte, body []byte) *ending {
	p := &k.work.disconnect
	if err := p.Decode(k.version, header, body); err != nil {
		return k.broken(err, header)
	}
	if e := k.overUserProperties(&p.Props); e != nil {
		return e
	}
	if p.Props.SessionExpiry > 0 && !k.wantsSession {
		k.at.Fail(check.MQTTProtocolError, attempt.F("packet", "DISCONNECT"), attempt.F("reason", "a session expiry interval above 0, after a CONNECT with 0"))
		return &ending{code: mqtt.ProtocolError, reason: clientError}
	}
	if p.Props.Has(mqtt.PropSessionExpiry) {
		k.client.SetExpiry(time.Duration(p.Props.SessionExpiry) * time.Second)
	}
	return &ending{
		reason: clientInitiated, noWill: p.Reason != mqtt.DisconnectWithWill, check: check.SessionClosed,
		evidence: []attempt.Field{attempt.F("offered", p.Reason.Name(k.version, mqtt.TypeDisconnect))},
	}
}

// packetTooLarge records a packet above the maximum that CONNACK tells MQTT 5 clients.
func (k *conn) packetTooLarge(bad *mqtt.Error) {
	offered := bad.Message
	if _, size, ok := strings.Cut(offered, " has "); ok { // "packet has 160038 bytes, at most ..."
		offered, _, _ = strings.Cut(size, ",")
	}
	k.at.Fail(check.LimitPacket, attempt.F("packet", bad.Packet.String()), attempt.F("offered", offered), attempt.F("required", strconv.Itoa(maxPacket)))
}
