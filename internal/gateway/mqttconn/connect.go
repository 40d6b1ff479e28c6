package mqttconn

import (
	"context"
	"encoding/hex"
	"errors"
	"log/slog"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/gatehouse-iot/gatehouse/internal/attempt"
	"github.com/gatehouse-iot/gatehouse/internal/broker"
	"github.com/gatehouse-iot/gatehouse/internal/check"
	"github.com/gatehouse-iot/gatehouse/internal/identity"
	"github.com/gatehouse-iot/gatehouse/internal/observe"
	"github.com/gatehouse-iot/gatehouse/mqtt"
	"github.com/gatehouse-iot/gatehouse/policy"
)

// A connectFault is a reason to refuse a CONNECT, with what each version is answered.
type connectFault struct {
	fault
	v3, v5 mqtt.ReasonCode // of the CONNACK; v3 0: close without one
	reason disconnectReason
}

// connect makes the checks of a CONNECT in AWS's order and opens the session, or says how the
// refused connection ends. All faults that can be evaluated are recorded, the first one refuses.
// Source: mqtt sheet 2.1.
func (k *conn) connect(ctx context.Context, header byte, body []byte) (refused *ending) {
	k.lastHeard.Store(k.server.cfg.Now().UnixNano())
	k.lastPacket.Store(uint32(mqtt.TypeOf(header)))
	var p mqtt.Connect
	if refused := k.decodeConnect(&p, header, body); refused != nil { // #1, #2
		return refused
	}
	k.noteConnect(&p)

	var faults []connectFault
	add := func(f connectFault) {
		if f.found() {
			faults = append(faults, f)
		}
	}
	add(k.checkClientID(&p))              // #3
	add(checkWill(p.Will))                // #4, #5
	if p.Props.Has(mqtt.PropAuthMethod) { // #6
		add(connectFault{faultOf(check.MQTTAuthMethod, attempt.F("offered", string(p.Props.AuthMethod))), 0, mqtt.BadAuthenticationMethod, clientError})
	}
	add(k.checkConnectSizes(&p))
	if len(faults) == 0 { // #7
		f, err := k.authenticate(ctx, &p)
		if err != nil {
			return k.failed("ask the authorizer", err)
		}
		add(f)
	}
	if len(faults) == 0 {
		add(k.checkConnectRate()) // #8
	}
	if k.clientID != "" && (k.info.Authenticate == nil || k.login != nil) {
		f, err := k.authorizeConnect(ctx, &p) // #9
		if err != nil {
			return k.failed("authorize", err)
		}
		add(f)
	}
	if len(faults) > 0 {
		return k.refuseConnect(faults)
	}
	k.open(&p)
	return nil
}

// decodeConnect reads the packet. A version that we do not speak gets the CONNACK that every client
// understands; anything else malformed is answered in MQTT 5 only, if the packet says that it is.
func (k *conn) decodeConnect(p *mqtt.Connect, header byte, body []byte) *ending {
	if t := mqtt.TypeOf(header); t != mqtt.TypeConnect {
		k.at.Fail(check.MQTTFirstNotConnect, attempt.F("packet", t.String()), attempt.F("bytes", hex.EncodeToString(append([]byte{header}, body[:min(len(body), 15)]...))),
			attempt.F("reason", "the first packet is "+t.String()))
		return &ending{reason: clientError}
	}
	err := p.Decode(0, header, body)
	k.version, k.in.version = p.Version, p.Version
	if err == nil {
		err = mqtt.CheckLength(k.version, header, k.in.frame, len(body))
	}
	if err == nil {
		return nil
	}
	e := &ending{reason: clientError}
	var bad *mqtt.Error
	if !errors.As(err, &bad) {
		return k.failed("decode CONNECT", err)
	}
	known := string(p.ProtocolName) == "MQTT" || string(p.ProtocolName) == "MQIsdp"
	switch {
	case bad.Code == mqtt.UnsupportedProtocolVersion && known:
		k.at.Fail(check.MQTTProtocolLevel, attempt.F("offered", bad.Message), attempt.F("required", "MQTT 3.1.1 (level 4) or MQTT 5 (level 5)"))
		e.answer = mqtt.AppendRefusedVersion(nil)
		return e
	case bad.Code == mqtt.ProtocolError:
		k.at.Fail(check.MQTTProtocolError, malformedEvidence(bad)...)
	default:
		k.at.Fail(check.MQTTMalformed, malformedEvidence(bad)...)
	}
	if p.Version == mqtt.V5 {
		code := bad.Code
		if code != mqtt.ProtocolError {
			code = mqtt.MalformedPacket
		}
		e.answer = k.connack(code, nil, nil)
	}
	return e
}

// noteConnect records what the device says about itself. Credentials are never looked at: with a
// client certificate AWS ignores them, and the SDKs send their name there. Source: mqtt sheet 2.3.
func (k *conn) noteConnect(p *mqtt.Connect) {
	k.clientID = string(p.ClientID)
	k.keepAliveAsk = p.KeepAlive
	k.terse = p.Props.Has(mqtt.PropRequestProblemInfo) && !p.Props.RequestProblemInfo
	k.wantsSession = k.version == mqtt.V311 && !p.CleanStart || p.Props.SessionExpiry > 0
	k.at.SetProtocol(k.version.String())
	k.at.SetClientID(k.clientID)
	if k.sdk = sdkOf(string(p.UserName)); k.sdk != "" {
		k.at.SetSDK(k.sdk)
	} else if k.info.Authenticate == nil && (p.HasUserName || p.HasPassword) {
		k.at.Warn(check.MQTTUserNameIgnored)
	}
	if k.info.Authenticate == nil && identity.HasCustomParameters(string(p.UserName)) {
		k.at.Warn(check.AuthorizerPort, attempt.F("sent", identity.ParameterNames(string(p.UserName))))
	}
	k.at.Pass(check.MQTTConnect, attempt.F("packet", "CONNECT"), attempt.F("keep_alive", strconv.Itoa(int(p.KeepAlive))))
}

// sdkOf takes what the AWS SDKs say about themselves out of a user name, such as
// "?SDK=NodeJSv2&Version=1.21.0", and nothing else: credentials travel there too. Source: mqtt sheet 2.3.
func sdkOf(user string) string {
	const most = 256 // bytes: it is kept as long as the connection lives
	_, params, _ := strings.Cut(user, "?")
	if !strings.HasPrefix(params, "SDK=") {
		return ""
	}
	var known []string
	for param := range strings.SplitSeq(params[:min(len(params), most)], "&") {
		switch name, _, _ := strings.Cut(param, "="); name {
		case "SDK", "Version", "Platform", "MQTTLib":
			known = append(known, param)
		}
	}
	return "?" + strings.Join(known, "&")
}

// checkClientID: mqtt sheet 2.2. An empty one is replaced where the client can do with that.
func (k *conn) checkClientID(p *mqtt.Connect) connectFault {
	id := k.clientID
	refuse := func(c *check.Check, ev ...attempt.Field) connectFault {
		return connectFault{faultOf(c, ev...), mqtt.RefusedIdentifier, mqtt.ClientIdentifierNotValid, clientError}
	}
	switch {
	case id == "" && k.version == mqtt.V311 && !p.CleanStart:
		return refuse(check.MQTTClientIDEmpty, attempt.F("required", "a client ID, or a clean session"))
	case len(id) > maxClientID:
		return refuse(check.LimitClientIDLength, attempt.F("offered", strconv.Itoa(len(id))), attempt.F("required", strconv.Itoa(maxClientID)))
	case strings.HasPrefix(id, "$"):
		return refuse(check.MQTTClientIDReserved, attempt.F("offered", id), attempt.F("required", "a first character other than $"))
	case id == "":
		k.clientID = uuid.NewString()
		k.at.SetClientID(k.clientID)
		k.at.Pass(check.MQTTClientID, attempt.F("offered", ""), attempt.F("assigned", k.clientID))
	default:
		k.at.Pass(check.MQTTClientID, attempt.F("offered", id))
	}
	if strings.ContainsAny(id, "#+") {
		k.at.Warn(check.MQTTClientIDNoEvents, attempt.F("offered", id))
	}
	return connectFault{}
}

// checkWill: the will is a publish, with the rules of one. Source: mqtt sheet 2.1 #4 and #5, 9.
func checkWill(w *mqtt.Will) connectFault {
	if w == nil {
		return connectFault{}
	}
	topic := string(w.Topic)
	if w.QoS > 1 {
		return connectFault{faultOf(check.MQTTWillQoS2, attempt.F("qos", strconv.Itoa(int(w.QoS))), attempt.F("topic", topic)), 0, mqtt.QoSNotSupported, clientError}
	}
	f := checkTopicName(topic)
	if !f.found() && w.Retain && strings.HasPrefix(topic, "$") {
		f = faultOf(check.TopicReservedRetain, attempt.F("topic", topic))
	}
	if f.found() {
		f.evidence = append(f.evidence, attempt.F("detector", f.check.Code))
		return connectFault{faultOf(check.MQTTWillTopic, f.evidence...), 0, mqtt.TopicNameInvalid, clientError}
	}
	if f := checkForwarded(&w.Props); f.found() {
		return connectFault{f, 0, mqtt.QuotaExceeded, clientError}
	}
	return connectFault{}
}

// checkConnectSizes holds the properties of an MQTT 5 CONNECT against the quotas. Source: mqtt sheet 11.1, 19.
func (k *conn) checkConnectSizes(p *mqtt.Connect) connectFault {
	if n := p.Props.MaximumPacketSize; p.Props.Has(mqtt.PropMaximumPacketSize) && n < minClientPacket {
		return connectFault{faultOf(check.LimitPacketMinimum, attempt.F("offered", strconv.Itoa(int(n))), attempt.F("required", strconv.Itoa(minClientPacket))), 0, mqtt.QuotaExceeded, clientError}
	}
	if f := checkUserProperties(&p.Props); f.found() {
		return connectFault{f, 0, mqtt.QuotaExceeded, clientError}
	}
	return connectFault{}
}

// checkConnectRate: mqtt sheet 2.1 #8, 19.
func (k *conn) checkConnectRate() connectFault {
	s, now := k.server, k.server.cfg.Now()
	if !s.accountConnects.Allow(s.cfg.Limits.ConnectAccount, now, 1) {
		return connectFault{faultOf(check.LimitConnectRateAccount, attempt.F("required", strconv.Itoa(s.cfg.Limits.ConnectAccount.Burst)+" a second")), 0, mqtt.QuotaExceeded, throttled}
	}
	if most := s.cfg.Limits.Connections; most > 0 && s.open.Load() >= int64(most) && s.live(k.clientID) == nil {
		return connectFault{faultOf(check.LimitConnections, attempt.F("offered", strconv.FormatInt(s.open.Load(), 10)), attempt.F("required", strconv.Itoa(most))), 0, mqtt.QuotaExceeded, throttled}
	}
	if !s.connectRates.allow(s.cfg.Limits.ConnectPerClientID, k.clientID, now) {
		return connectFault{faultOf(check.LimitConnectRateClientID, attempt.F("offered", k.clientID), attempt.F("required", "1 a second")), 0, mqtt.QuotaExceeded, throttled}
	}
	return connectFault{}
}

// authorizeConnect asks the policies: iot:Connect, then the will's topic. The error is broken machinery.
func (k *conn) authorizeConnect(ctx context.Context, p *mqtt.Connect) (connectFault, error) {
	facts := k.info.Facts
	facts.ConnectAttributes = []string{} // known, and empty
	if k.wantsSession {
		facts.ConnectAttributes = append(facts.ConnectAttributes, policy.PersistentConnect)
	}
	if p.Will != nil {
		facts.ConnectAttributes = append(facts.ConnectAttributes, policy.LastWill)
		facts.LastWillTopic = string(p.Will.Topic)
	}
	auth, err := k.authorization(ctx, facts)
	if err != nil {
		return connectFault{}, err
	}
	k.auth = auth
	if thing := auth.ThingName(); thing != "" {
		k.at.SetThing(thing)
	}
	refuse := func(f fault) (connectFault, error) {
		var v3 mqtt.ReasonCode // closed without CONNACK. Source: mqtt sheet 2.1
		if k.server.cfg.Refusals.ConnectDenied == ConnectConnack5 {
			v3 = mqtt.RefusedNotAuthorized
		}
		return connectFault{f, v3, mqtt.NotAuthorized, authError}, nil
	}
	if auth.Decide(policy.Connect, k.clientID) != policy.Allow {
		f := k.denied(check.AuthzConnect, policy.Connect, k.clientID, true)
		if f.check == check.AuthzConnectClientID && len(p.ClientID) == 0 {
			f.check = check.AuthzConnectClientIDEmpty
		}
		return refuse(f)
	}
	k.at.Pass(check.AuthzConnect, attempt.F("action", string(policy.Connect)), attempt.F("offered", k.clientID))
	if p.Will == nil {
		return connectFault{}, nil
	}
	if topic := string(p.Will.Topic); auth.Decide(policy.Publish, topic) != policy.Allow {
		return refuse(k.denied(check.AuthzWillPublish, policy.Publish, topic, false))
	} else if p.Will.Retain && auth.Decide(policy.RetainPublish, topic) != policy.Allow {
		return refuse(k.denied(check.AuthzWillRetain, policy.RetainPublish, topic, false))
	} else {
		k.at.Pass(check.AuthzWillPublish, attempt.F("action", string(policy.Publish)), attempt.F("topic", topic))
	}
	return connectFault{}, nil
}

// refuseConnect records all faults and answers the first.
func (k *conn) refuseConnect(faults []connectFault) *ending {
	first := faults[0]
	k.refuse(first.fault, attempt.F("reply", replyText(k.version, first.v3, first.v5)))
	for _, f := range faults[1:] {
		k.at.Also(f.check, f.evidence...)
		k.alsoNear(f.fault)
	}
	if first.reason == authError || first.reason == forbidden {
		k.announceConnectFailed()
	}
	e := &ending{reason: first.reason}
	if k.version == mqtt.V5 {
		e.answer = k.connack(first.v5, nil, nil)
	} else if first.v3 != 0 {
		e.answer = []byte{byte(mqtt.TypeConnack) << 4, 2, 0, byte(first.v3)}
	}
	return e
}

// failed ends the connection because our machinery is broken.
func (k *conn) failed(what string, err error) *ending {
	k.server.cfg.Log.LogAttrs(context.Background(), slog.LevelError, "connection failed",
		slog.String("what", what), slog.String("client_id", k.clientID), slog.String("attempt", k.at.ID()), slog.Any("error", err))
	e := &ending{reason: serverFault, check: check.ServerError, evidence: []attempt.Field{attempt.F("error", what)}, code: mqtt.UnspecifiedError}
	if k.client == nil && k.version == mqtt.V5 {
		e.answer = k.connack(mqtt.UnspecifiedError, nil, nil)
	}
	return e
}

// open registers the session, takes the client ID over and answers the CONNECT. Source: mqtt sheet
// 2.1 #10 and #11, 3, 14.
func (k *conn) open(p *mqtt.Connect) {
	s, now := k.server, k.server.cfg.Now()
	keepAlive := p.KeepAlive
	switch {
	case keepAlive == 0 || keepAlive > maxKeepAlive:
		keepAlive = maxKeepAlive
		k.at.Warn(check.KeepaliveAboveMax, attempt.F("keep_alive", strconv.Itoa(int(p.KeepAlive))), attempt.F("used", strconv.Itoa(maxKeepAlive)))
	case keepAlive < minKeepAlive:
		keepAlive = minKeepAlive
		k.at.Warn(check.KeepaliveBelowMin, attempt.F("keep_alive", strconv.Itoa(int(p.KeepAlive))), attempt.F("used", strconv.Itoa(minKeepAlive)))
	}
	k.keepAlive = time.Duration(keepAlive) * time.Second * 3 / 2
	k.opened = now
	k.will = newWill(p.Will)
	cfg := broker.ClientConfig{ID: k.clientID, V5: k.version == mqtt.V5, Conn: k.nc, Peer: k}
	if s.cfg.Limits.Throughput.Every > 0 {
		cfg.Pace = k.pace
	}
	if p.Props.Has(mqtt.PropReceiveMaximum) {
		cfg.ReceiveMaximum = int(p.Props.ReceiveMaximum)
	}
	if p.Props.Has(mqtt.PropMaximumPacketSize) {
		cfg.MaxPacket = int(p.Props.MaximumPacketSize)
	}
	k.client = s.cfg.Broker.NewClient(cfg)
	s.count(k, 1)
	session := s.cfg.Broker.Connect(k.client, k.sessionOptions(p))
	if old := session.Displaced; old != nil {
		k.takeOver(old.Peer().(*conn))
	}
	k.begin()
	k.work.out = append(k.work.out, k.connack(mqtt.Success, p, &session)...)
	k.flush() // before anything is delivered: nobody sends to a client without subscriptions, or before Start
	s.deadlines.add(k, k.info.Lifetime.next(k.sendToRest(now, now.Add(k.keepAlive))))
	if k.custom != nil {
		k.custom.Maintain(k.keepAlive, session.Present, k.renewed)
	}
	k.at.Pass(check.SessionOpened, attempt.F("keep_alive", strconv.Itoa(int(keepAlive))))
	k.noteSession(&session)
	k.saw(observe.Event{Kind: observe.Connect})
	k.announceConnected()
	k.client.Start()
}

// takeOver tells the connection that had the client ID to go, and each side about the other. That
// two devices fight for an ID, or one with itself, is seen by the recorder of attempts, which knows
// them all. Source: mqtt sheet 2.2, PROBLEMS F.
func (k *conn) takeOver(old *conn) {
	lasted := k.server.cfg.Now().Sub(old.opened).Round(time.Millisecond).String()
	about := func(other *conn) []attempt.Field {
		return []attempt.Field{
			attempt.F("client_id", k.clientID),
			attempt.F("other_source_ip", other.info.Remote.Addr().String()),
			attempt.F("other_principal", other.who.ID),
			attempt.F("other_sdk", other.sdk),
			attempt.F("other_trace", other.at.ID()),
			attempt.F("connected_for", lasted),
		}
	}
	k.at.Warn(check.SessionTookOver, about(old)...)
	old.end(ending{code: mqtt.SessionTakenOver, reason: duplicateClient, check: check.SessionTakeover, evidence: about(k)})
}

// connack encodes the answer to a CONNECT; p and session are nil for a refusal. Source: mqtt sheet 3.
func (k *conn) connack(code mqtt.ReasonCode, p *mqtt.Connect, session *broker.Connected) []byte {
	a := mqtt.Connack{Reason: code, SessionPresent: session != nil && session.Present}
	if p == nil && k.reasonStrings() {
		a.Props.SetReasonString([]byte(k.at.ID()))
	}
	if p != nil && k.version == mqtt.V5 {
		a.Props.SetReceiveMaximum(maxInflight)
		a.Props.SetMaximumQoS(1)
		a.Props.SetRetainAvailable(true)
		a.Props.SetMaximumPacketSize(maxPacket)
		a.Props.SetTopicAliasMaximum(maxTopicAlias)
		a.Props.SetWildcardAvailable(true)
		a.Props.SetSubscriptionAvailable(false)
		a.Props.SetSharedAvailable(true)
		a.Props.SetServerKeepAlive(uint16(k.keepAlive / time.Second * 2 / 3))
		if granted := uint32(session.Expiry / time.Second); granted != p.Props.SessionExpiry {
			a.Props.SetSessionExpiry(granted)
		}
		if len(p.ClientID) == 0 {
			a.Props.SetAssignedClientID([]byte(k.clientID))
		}
	}
	b, err := a.Append(nil, k.version)
	if err != nil {
		panic("mqttconn: cannot encode CONNACK: " + err.Error()) // every field is our own
	}
	return b
}

// replyText words what the device is told.
func replyText(v mqtt.Version, v3, v5 mqtt.ReasonCode) string {
	switch {
	case v == mqtt.V5:
		return "CONNACK 0x" + strconv.FormatUint(uint64(v5), 16)
	case v3 != 0:
		return "CONNACK " + strconv.Itoa(int(v3))
	}
	return "none: the connection is closed"
}

// malformedEvidence says where a packet is wrong, and by which rule.
func malformedEvidence(e *mqtt.Error) []attempt.Field {
	return []attempt.Field{
		attempt.F("packet", e.Packet.String()),
		attempt.F("reason", e.Message),
		attempt.F("offset", strconv.Itoa(e.Offset)),
		attempt.F("rule", e.Rule),
	}
}
