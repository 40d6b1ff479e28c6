package mqttconn

import (
	"encoding/binary"
	"strconv"
	"strings"
	"time"

	"github.com/gatehouse-iot/gatehouse/internal/attempt"
	"github.com/gatehouse-iot/gatehouse/internal/broker"
	"github.com/gatehouse-iot/gatehouse/internal/check"
	"github.com/gatehouse-iot/gatehouse/internal/observe"
	"github.com/gatehouse-iot/gatehouse/mqtt"
	"github.com/gatehouse-iot/gatehouse/policy"
)

// A topicEntry is what a connection knows about one of the last topics that it published on.
type topicEntry struct {
	name       string
	fault      fault // of the name itself: length, levels, wildcards, reserved
	generation uint64
	decided    bool
	retain     bool // iot:RetainPublish is decided too
	mayPublish bool
	mayRetain  bool
	denied     fault // made when a decision is no
	route      *broker.Route
	service    string // behind a reserved topic, until that is noted: it is not built yet
}

const keptTopics = 4

// publish handles one inbound PUBLISH: the checks of mqtt sheet 5.1 in their order. Where the sheet
// closes an MQTT 3.1.1 connection, an MQTT 5 one gets DISCONNECT at QoS 0 and PUBACK at QoS 1.
func (k *conn) publish(header byte, body []byte) *ending {
	w := k.work
	p := &w.publish
	if err := p.Decode(k.version, header, body); err != nil { // #1
		return k.broken(err, header)
	}
	if len(p.Props.SubscriptionIDs) > 0 { // only a server may send one
		k.at.Fail(check.MQTTProtocolError, attempt.F("packet", "PUBLISH"), attempt.F("reason", "it has a subscription identifier, which only a server may send"),
			attempt.F("topic", string(p.Topic)), attempt.F("rule", "MQTT-3.3.4-6"))
		return &ending{code: mqtt.ProtocolError, reason: clientError}
	}
	if p.QoS > 1 { // #2: without an answer the client would hang until its own timeout
		k.at.Fail(check.MQTTQoS2, attempt.F("packet", "PUBLISH"), attempt.F("topic", string(p.Topic)), attempt.F("qos", "2"))
		return &ending{code: mqtt.QoSNotSupported, reason: clientError}
	}
	if len(p.Payload) > maxPayload { // #3
		k.payloadTooLarge(string(p.Topic), strconv.Itoa(len(p.Payload)))
		return &ending{code: mqtt.QuotaExceeded, reason: clientError}
	}
	if k.version == mqtt.V5 && p.Props.Has(mqtt.PropTopicAlias) { // #4
		if e := k.resolveAlias(p); e != nil {
			return e
		}
	}
	t := k.topic(p.Topic)
	if t.fault.found() { // #5, #6
		return k.refusePublish(p, t.fault, mqtt.TopicNameInvalid, clientError)
	}
	if p.Retain && t.name[0] == '$' { // #7
		return k.refusePublish(p, faultOf(check.TopicReservedRetain, attempt.F("topic", t.name)), mqtt.TopicNameInvalid, clientError)
	}
	if k.version == mqtt.V5 && p.Props.Present|uint64(len(p.Props.User)) != 0 { // #8
		if f := checkForwarded(&p.Props); f.found() {
			k.at.Fail(f.check, f.evidence...)
			code := mqtt.QuotaExceeded
			if f.check == check.LimitResponseTopic {
				code = mqtt.ProtocolError
			}
			return &ending{code: code, reason: clientError}
		}
	}
	if p.QoS == 1 {
		if w.unacked++; w.unacked+k.unsynced() > maxInflight {
			if k.version == mqtt.V5 { // it did not wait for our acknowledgements
				k.at.Fail(check.LimitInflight, attempt.F("offered", strconv.Itoa(w.unacked+k.unsynced())), attempt.F("required", strconv.Itoa(maxInflight)))
				return &ending{code: mqtt.ReceiveMaximumExceeded, reason: clientError}
			}
			k.flush() // MQTT 3.1.1: no further publish is taken before the acknowledgements are out
			k.awaitDisk()
			w.unacked = 1
		}
	}
	if c := k.overRate(w.batch.Now); c != nil { // #9
		k.at.Warn(c, attempt.F("topic", t.name))
		k.sawPublishRefused(observe.Throttle, c, nil)
		k.puback(p, mqtt.QuotaExceeded)
		return nil
	}
	if f := k.mayPublish(t, p.Retain); f.found() { // #10
		return k.refusePublish(p, f, mqtt.NotAuthorized, authError)
	}
	if p.Retain { // #11
		if f := k.server.overRetainRate(t.name, w.batch.Now); f.found() {
			k.at.Warn(f.check, f.evidence...)
			k.sawPublishRefused(observe.Throttle, f.check, f.evidence)
			k.puback(p, mqtt.QuotaExceeded)
			return nil
		}
		if f := k.server.retainedFull(t.name, len(p.Payload)); f.found() {
			return k.refusePublish(p, f, mqtt.QuotaExceeded, throttled)
		}
	}
	if err := k.accept(p, t); err != nil { // #12
		k.at.Warn(check.DeliveryNotStored, attempt.F("topic", t.name), attempt.F("error", err.Error()))
		k.sawPublishRefused(observe.ServerError, check.DeliveryNotStored, nil)
		k.puback(p, refusedCode(err))
		return nil
	}
	k.sawPublish(t.name, p.Retain)
	k.puback(p, mqtt.Success)
	w.stored = false
	return nil
}

// accept hands a message to the broker. Basic Ingest goes to a rule, not through the broker (mqtt
// sheet 16). An error says why the message log does not take it: nobody got it then.
func (k *conn) accept(p *mqtt.Publish, t *topicEntry) error {
	if k.published++; k.published == 1 {
		k.at.Pass(check.PublishAccepted, attempt.F("topic", t.name), attempt.F("qos", strconv.Itoa(int(p.QoS))))
	}
	if t.service != "" { // nobody takes the message: an acknowledgement alone would look like success
		k.at.Warn(check.TopicServiceNotBuilt, attempt.F("topic", t.name), attempt.F("service", t.service))
		t.service = ""
	}
	if t.route == nil {
		k.tellAccepted()
		ObserveBasicIngest(k.server.cfg.Observe, k, observe.MQTT, t.name)
		return nil
	}
	w := k.work
	m := &w.message
	*m = broker.Message{Payload: p.Payload, QoS: byte(p.QoS), Retain: p.Retain, Trace: k.at.ID()}
	if k.version == mqtt.V5 {
		w.props = appendForwarded(w.props[:0], &p.Props)
		m.Properties = w.props
		if d := messageExpiry(&p.Props); d > 0 {
			m.Expires = w.batch.Now.Add(d)
			if asked := time.Duration(p.Props.MessageExpiry) * time.Second; asked != d {
				k.at.Warn(check.LimitMessageExpiry, attempt.F("topic", t.name), attempt.F("offered", strconv.Itoa(int(p.Props.MessageExpiry))), attempt.F("required", "1 to 604800"), attempt.F("used", strconv.Itoa(int(d/time.Second))))
			}
		}
	}
	if p.Retain {
		if err := k.server.cfg.Broker.Retain(w.batch, t.name, m); err != nil {
			return err
		}
	}
	k.server.cfg.Broker.Publish(w.batch, k.client, t.route, m)
	w.stored = w.batch.Stored() || w.stored
	return w.batch.Refused()
}

// puback answers a QoS 1 publish. MQTT 3.1.1 has no negative answer: there is none then.
func (k *conn) puback(p *mqtt.Publish, code mqtt.ReasonCode) {
	if p.QoS == 1 && k.late() {
		k.work.late.pubacks = append(k.work.late.pubacks, latePuback{p.PacketID, code})
	} else if p.QoS == 1 && (k.version == mqtt.V5 || code == mqtt.Success) {
		k.work.out = mqtt.AppendAck(k.work.out, k.version, mqtt.TypePuback, p.PacketID, code)
	}
}

// refusePublish records why, and answers as the version and the QoS allow.
func (k *conn) refusePublish(p *mqtt.Publish, f fault, code mqtt.ReasonCode, reason disconnectReason) *ending {
	reply := "none: the connection is closed"
	if k.version == mqtt.V5 {
		reply = "DISCONNECT 0x" + strconv.FormatUint(uint64(code), 16)
		if p.QoS == 1 {
			reply = "PUBACK 0x" + strconv.FormatUint(uint64(code), 16)
		}
	}
	k.refuse(f, attempt.F("reply", reply))
	if k.version == mqtt.V5 && p.QoS == 1 {
		k.sawPublishRefused(outcomeOf(reason), f.check, f.evidence)
		k.puback(p, code)
		return nil
	}
	return &ending{code: code, reason: f.endedBy(reason)}
}

// topic returns what is known about a topic, from the last few if it is among them. A hit does not allocate.
func (k *conn) topic(name []byte) *topicEntry {
	for i, t := range k.topics {
		if t.name == string(name) {
			if i > 0 {
				copy(k.topics[1:i+1], k.topics[:i])
				k.topics[0] = t
			}
			return t
		}
	}
	t := &topicEntry{name: string(name)}
	if t.fault = checkTopicName(t.name); !t.fault.found() {
		t.service = servicesOf(t.name, mayPublish)
		if !strings.HasPrefix(t.name, basicIngest) {
			t.route = k.server.cfg.Broker.NewRoute(t.name)
		}
	}
	if len(k.topics) < keptTopics {
		k.topics = append(k.topics, nil)
	}
	copy(k.topics[1:], k.topics)
	k.topics[0] = t
	return t
}

// mayPublish decides iot:Publish, and iot:RetainPublish for a retained message: once for each topic
// and authorization.
func (k *conn) mayPublish(t *topicEntry, retain bool) fault {
	if g := k.auth.Generation(); !t.decided || t.generation != g {
		t.generation, t.decided, t.retain, t.denied = g, true, false, fault{}
		t.mayPublish = k.auth.Decide(policy.Publish, t.name) == policy.Allow
	}
	if t.mayPublish && !retain {
		return fault{}
	}
	if t.mayPublish && !t.retain {
		t.retain, t.denied = true, fault{}
		t.mayRetain = k.auth.Decide(policy.RetainPublish, t.name) == policy.Allow
	}
	switch {
	case t.mayPublish && t.mayRetain:
		return fault{}
	case t.denied.found():
	case t.mayPublish:
		t.denied = k.denied(check.AuthzRetainPublish, policy.RetainPublish, t.name, false)
	default:
		t.denied = k.denied(check.AuthzPublish, policy.Publish, t.name, true)
	}
	return t.denied
}

// overRate takes a publish out of the rates of the connection and the account. Source: mqtt sheet 19, 20.
func (k *conn) overRate(now time.Time) *check.Check {
	s := k.server
	if !k.rate.Allow(s.cfg.Limits.PublishConnection, now, 1) {
		return check.LimitPublishRate
	}
	if !s.accountPublishes.Allow(s.cfg.Limits.PublishAccount, now, 1) {
		return check.LimitPublishRateAccount
	}
	return nil
}

// resolveAlias sets the topic of a publish with a topic alias, or learns the alias. Source: mqtt sheet 11.1.
func (k *conn) resolveAlias(p *mqtt.Publish) *ending {
	a := p.Props.TopicAlias
	if a == 0 || a > maxTopicAlias || len(p.Topic) == 0 && (k.aliases == nil || k.aliases[a] == "") {
		k.at.Fail(check.LimitTopicAlias, attempt.F("offered", strconv.Itoa(int(a))), attempt.F("required", "1 to "+strconv.Itoa(maxTopicAlias)+", and known before it is used without a topic"))
		return &ending{code: mqtt.TopicAliasInvalid, reason: clientError}
	}
	if k.aliases == nil {
		k.aliases = new([maxTopicAlias + 1]string)
	}
	if len(p.Topic) == 0 {
		p.Topic = append(k.work.topic[:0], k.aliases[a]...)
		k.work.topic = p.Topic
	} else if k.aliases[a] != string(p.Topic) {
		k.aliases[a] = string(p.Topic[:min(len(p.Topic), 4*maxTopic)]) // a longer one is refused below
	}
	return nil
}

// payloadTooLarge records an oversized message.
func (k *conn) payloadTooLarge(topic, offered string) {
	k.at.Fail(check.LimitPayload, attempt.F("topic", topic), attempt.F("offered", offered), attempt.F("required", strconv.Itoa(maxPayload)))
}

// checkForwarded makes the checks of the properties that travel with a message: mqtt sheet 5.1 #8.
func checkForwarded(p *mqtt.Properties) fault {
	over := func(c *check.Check, n, limit int) fault {
		return faultOf(c, attempt.F("offered", strconv.Itoa(n)), attempt.F("required", strconv.Itoa(limit)))
	}
	if n := len(p.ResponseTopic); n > maxResponseTopic {
		return faultOf(check.LimitResponseTopic, attempt.F("offered", strconv.Itoa(n)+" bytes"), attempt.F("required", strconv.Itoa(maxResponseTopic)+" bytes"))
	} else if strings.ContainsAny(string(p.ResponseTopic), "+#") {
		return faultOf(check.LimitResponseTopic, attempt.F("offered", "a wildcard"), attempt.F("required", "no wildcard"))
	}
	if n := len(p.ContentType); n > maxContentType {
		return over(check.LimitContentType, n, maxContentType)
	}
	if n := len(p.CorrelationData); n > maxCorrelationData {
		return over(check.LimitCorrelationData, n, maxCorrelationData)
	}
	return checkUserProperties(p)
}

func checkUserProperties(p *mqtt.Properties) fault {
	size := 0
	for _, u := range p.User {
		size += len(u.Name) + len(u.Value)
	}
	if size > maxUserProperties {
		return faultOf(check.LimitUserProperties, attempt.F("offered", strconv.Itoa(size)), attempt.F("required", strconv.Itoa(maxUserProperties)))
	}
	return fault{}
}

// overUserProperties holds a packet of the client's own, which nobody gets, against the same quota.
// Source: mqtt sheet 11.1, 19.
func (k *conn) overUserProperties(p *mqtt.Properties) *ending {
	f := checkUserProperties(p)
	if !f.found() {
		return nil
	}
	k.at.Fail(f.check, f.evidence...)
	return &ending{code: mqtt.QuotaExceeded, reason: clientError}
}

// messageExpiry returns for how long a message is worth delivering: 1 s to 7 days, 0 for ever.
// Source: mqtt sheet 11.1.
func messageExpiry(p *mqtt.Properties) time.Duration {
	if !p.Has(mqtt.PropMessageExpiry) {
		return 0
	}
	return min(max(time.Duration(p.MessageExpiry)*time.Second, time.Second), maxMessageExpiry)
}

// appendForwarded encodes the properties that travel with a message, except the expiry, which
// changes on the way. Source: mqtt sheet 11.1.
func appendForwarded(b []byte, p *mqtt.Properties) []byte {
	field := func(v []byte) {
		b = binary.BigEndian.AppendUint16(b, uint16(len(v)))
		b = append(b, v...)
	}
	if p.Has(mqtt.PropPayloadFormat) {
		b = append(b, byte(mqtt.PropPayloadFormat), p.PayloadFormat)
	}
	if p.Has(mqtt.PropContentType) {
		b = append(b, byte(mqtt.PropContentType))
		field(p.ContentType)
	}
	if p.Has(mqtt.PropResponseTopic) {
		b = append(b, byte(mqtt.PropResponseTopic))
		field(p.ResponseTopic)
	}
	if p.Has(mqtt.PropCorrelationData) {
		b = append(b, byte(mqtt.PropCorrelationData))
		field(p.CorrelationData)
	}
	for _, u := range p.User {
		b = append(b, byte(mqtt.PropUser))
		field(u.Name)
		field(u.Value)
	}
	return b
}
