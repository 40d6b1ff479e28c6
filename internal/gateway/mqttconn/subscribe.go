package mqttconn

import (
	"slices"
	"strconv"
	"time"

	"github.com/gatehouse-iot/gatehouse/internal/attempt"
	"github.com/gatehouse-iot/gatehouse/internal/broker"
	"github.com/gatehouse-iot/gatehouse/internal/check"
	"github.com/gatehouse-iot/gatehouse/internal/observe"
	"github.com/gatehouse-iot/gatehouse/mqtt"
	"github.com/gatehouse-iot/gatehouse/policy"
)

// A wish is one filter of a SUBSCRIBE with the answer to it.
type wish struct {
	filter string
	code   mqtt.ReasonCode // for SUBACK: the granted QoS or a failure
	fault  fault
	reason disconnectReason // if an MQTT 3.1.1 connection ends because of the fault

	retained bool // granted, and asks for the retained message
}

// subscribe handles a SUBSCRIBE: the checks of mqtt sheet 6.2 in their order, those on the whole
// packet first. The subscriptions are active before SUBACK leaves.
func (k *conn) subscribe(header byte, body []byte) *ending {
	p := &k.work.subscribe
	if err := p.Decode(k.version, header, body); err != nil { // #1
		return k.broken(err, header)
	}
	if e := k.overUserProperties(&p.Props); e != nil {
		return e
	}
	if n := len(p.Filters); n > maxFilters { // #2
		k.at.Fail(check.LimitTopicsPerPacket, attempt.F("packet", "SUBSCRIBE"), attempt.F("offered", strconv.Itoa(n)), attempt.F("required", strconv.Itoa(maxFilters)))
		if k.version != mqtt.V5 {
			return &ending{reason: clientError}
		}
		codes := slices.Repeat([]mqtt.ReasonCode{mqtt.QuotaExceeded}, n)
		k.suback(p.PacketID, codes)
		k.sawSubscribe(p.Filters, codes, observe.ClientError)
		return nil
	}
	wishes := make([]wish, len(p.Filters))
	for i, f := range p.Filters {
		wishes[i] = wish{filter: string(f.Filter), code: mqtt.ReasonCode(f.QoS)}
	}
	if len(p.Props.SubscriptionIDs) > 0 { // #3
		k.at.Fail(check.MQTTSubscriptionIdentifier, attempt.F("filter", wishes[0].filter), attempt.F("offered", strconv.Itoa(int(p.Props.SubscriptionIDs[0]))))
		return &ending{code: mqtt.SubscriptionIDsNotSupported, reason: clientError}
	}
	for i := range wishes { // #4
		if wishes[i].code < 2 {
			continue
		}
		if k.version != mqtt.V5 && k.server.cfg.Refusals.SubscribeQoS2 == SubscribeQoS2Downgrade {
			wishes[i].code = mqtt.GrantedQoS1
			k.at.Warn(check.MQTTQoS2, attempt.F("packet", "SUBSCRIBE"), attempt.F("filter", wishes[i].filter), attempt.F("qos", "2"), attempt.F("used", "1"))
			continue
		}
		k.at.Fail(check.MQTTQoS2, attempt.F("packet", "SUBSCRIBE"), attempt.F("filter", wishes[i].filter), attempt.F("qos", "2"))
		return &ending{code: mqtt.QoSNotSupported, reason: clientError}
	}
	k.checkWishes(wishes)
	if e := k.refuseWishes(p.PacketID, wishes); e != nil {
		return e
	}
	codes := make([]mqtt.ReasonCode, len(wishes))
	var granted []string
	for i, w := range wishes {
		if codes[i] = w.code; !w.code.Failed() {
			granted = append(granted, w.filter)
			f := p.Filters[i]
			added := k.client.Subscribe(w.filter, broker.Options{QoS: byte(w.code), NoLocal: f.NoLocal, RetainAsPublished: f.RetainAsPublished})
			wishes[i].retained = f.RetainHandling == 0 || f.RetainHandling == 1 && added
			k.noteSubscribed(w)
		}
	}
	k.noteUnsaved(granted)
	k.suback(p.PacketID, codes)
	k.sawSubscribe(p.Filters, codes, subscribeOutcome(wishes))
	for _, w := range wishes {
		if w.retained {
			k.sendRetained(w.filter, byte(w.code))
		}
	}
	k.announceSubscribed(granted)
	return nil
}

// checkWishes judges each filter: #5 syntax and size, #6 reserved topics, #7 policy, #8 counts and rates.
func (k *conn) checkWishes(wishes []wish) {
	limits, now := &k.server.cfg.Limits, k.work.batch.Now
	rate := k.server.accountSubs.Allow(limits.SubscribeAccount, now, 1)
	room := limits.Subscriptions - k.client.Subscriptions()
	added := map[string]bool{}
	for i := range wishes {
		w := &wishes[i]
		refuse := func(f fault, code mqtt.ReasonCode, reason disconnectReason) {
			w.fault, w.code, w.reason = f, code, reason
		}
		if f := checkTopicFilter(w.filter); f.found() {
			refuse(f, mqtt.TopicFilterInvalid, clientError)
			continue
		}
		if k.auth.Decide(policy.Subscribe, w.filter) != policy.Allow {
			refuse(k.denied(check.AuthzSubscribe, policy.Subscribe, w.filter, true), mqtt.NotAuthorized, authError)
			continue
		}
		if !rate {
			refuse(faultOf(check.LimitSubscribeRateAccount, attempt.F("filter", w.filter), attempt.F("required", strconv.Itoa(limits.SubscribeAccount.Burst)+" a second")), mqtt.QuotaExceeded, throttled)
			continue
		}
		if !added[w.filter] && !k.client.Subscribed(w.filter) {
			if limits.Subscriptions > 0 && room <= 0 {
				refuse(faultOf(check.LimitSubscriptions, attempt.F("filter", w.filter), attempt.F("offered", strconv.Itoa(limits.Subscriptions+1)), attempt.F("required", strconv.Itoa(limits.Subscriptions))), mqtt.QuotaExceeded, throttled)
				continue
			}
			if f := k.overAccount(w.filter, now); f.found() {
				refuse(f, mqtt.QuotaExceeded, throttled)
				continue
			}
			room--
			added[w.filter] = true
		}
	}
}

// overAccount holds a new subscription against what the clients of the account have together, and a
// shared one against its group. Source: mqtt sheet 10, 19.
func (k *conn) overAccount(filter string, now time.Time) fault {
	limits := &k.server.cfg.Limits
	over := func(c *check.Check, n, most int) fault {
		if most == 0 || n < most {
			return fault{}
		}
		return faultOf(c, attempt.F("filter", filter), attempt.F("offered", strconv.Itoa(n)), attempt.F("required", strconv.Itoa(most)))
	}
	b := k.server.cfg.Broker
	if f := over(check.LimitSubscriptionsAccount, b.Subscriptions(), limits.SubscriptionsAccount); f.found() {
		return f
	}
	if share, _ := broker.SplitShare(filter); share == "" {
		return fault{}
	}
	if !k.server.groupChanges.allow(limits.SharedRate, filter, now) {
		return faultOf(check.LimitSharedGroupRate, attempt.F("filter", filter), attempt.F("required", strconv.Itoa(limits.SharedRate.Burst)+" a second"))
	}
	members := b.Members(filter)
	if f := over(check.LimitSharedGroupMembers, members, limits.SharedMembers); f.found() {
		return f
	}
	if members == 0 {
		return over(check.LimitSharedGroups, b.Groups(), limits.SharedGroups)
	}
	return fault{}
}

// refuseWishes records the refused filters, and says whether the connection ends with them. MQTT 5
// answers each filter; MQTT 3.1.1 closes, as the switches say. Source: mqtt sheet 6.2, 6.3.
func (k *conn) refuseWishes(id uint16, wishes []wish) *ending {
	var end *ending
	suback := false // before the end
	for i := range wishes {
		w := &wishes[i]
		if !w.fault.found() {
			continue
		}
		reply := "SUBACK 0x" + strconv.FormatUint(uint64(w.code), 16)
		if k.version != mqtt.V5 {
			w.code = mqtt.UnspecifiedError
			reply = "SUBACK 0x80"
			denied := k.server.cfg.Refusals.SubscribeDenied
			switch {
			case w.fault.check == check.LimitSubscribeRateAccount:
			case w.reason == authError && denied == SubscribeSuback:
			case w.reason == throttled, w.reason == authError && denied == SubscribeSubackThenClose:
				suback, reply = true, "SUBACK 0x80, then the connection is closed"
				if end == nil {
					end = &ending{reason: w.fault.endedBy(w.reason)}
				}
			default:
				reply = "none: the connection is closed"
				if end == nil || suback {
					suback = false
					end = &ending{reason: w.fault.endedBy(w.reason)}
				}
			}
		}
		k.refuse(w.fault, attempt.F("reply", reply))
	}
	if end != nil && suback {
		codes := make([]mqtt.ReasonCode, len(wishes))
		for i, w := range wishes {
			codes[i] = w.code
		}
		k.suback(id, codes)
	}
	return end
}

// noteSubscribed records a subscription, and a doubt: without iot:Receive nothing will ever arrive.
func (k *conn) noteSubscribed(w wish) {
	k.at.Pass(check.AuthzSubscribe, attempt.F("action", string(policy.Subscribe)), attempt.F("filter", w.filter), attempt.F("qos", strconv.Itoa(int(w.code))))
	_, plain := broker.SplitShare(w.filter)
	if service := servicesOf(plain, maySubscribe); service != "" {
		k.at.Warn(check.TopicServiceNotBuilt, attempt.F("filter", w.filter), attempt.F("service", service))
	}
	if wild(plain) {
		k.noteDoubts(w.filter)
		return
	}
	if k.auth.Decide(policy.Receive, plain) != policy.Allow {
		f := k.denied(check.AuthzReceiveMissing, policy.Receive, plain, false)
		k.at.Warn(f.check, append(f.evidence, attempt.F("filter", w.filter))...)
	}
}

// noteDoubts records what is doubtful about a granted filter with wildcards: a Deny that it steps
// around or that has no value to apply with. It costs as much as explaining a denial, so it shares
// that rate: a device that subscribes without end is looked at less. Source: policy sheet 6.3, 7.7.
func (k *conn) noteDoubts(filter string) {
	if !k.explained.Allow(explainRate, k.server.cfg.Now(), 1) {
		return
	}
	d := k.auth.Explain(policy.Subscribe, filter)
	for _, n := range d.Warnings {
		c, ok := check.Lookup(n.Code)
		if !ok || c.Severity != check.Warning {
			continue
		}
		ev := []attempt.Field{
			attempt.F("action", string(policy.Subscribe)), attempt.F("filter", filter), attempt.F("resource", d.Resource),
			attempt.F("policy", n.Policy), attempt.F("version", n.Version), attempt.F("pattern", n.Pattern), attempt.F("reason", n.Cause),
		}
		for _, v := range d.Variables {
			if !v.Known {
				ev = append(ev, attempt.F("variable", v.Name))
				break
			}
		}
		k.at.Warn(c, ev...)
	}
}

func (k *conn) suback(id uint16, codes []mqtt.ReasonCode) {
	out := k.answersTo()
	b, err := (&mqtt.Suback{PacketID: id, Codes: codes}).Append(*out, k.version)
	if err != nil {
		panic("mqttconn: cannot encode SUBACK: " + err.Error()) // every field is our own
	}
	*out = b
}

// unsubscribe handles an UNSUBSCRIBE. No policy is asked (mqtt sheet 6.1).
func (k *conn) unsubscribe(header byte, body []byte) *ending {
	p := &k.work.unsubscribe
	if err := p.Decode(k.version, header, body); err != nil {
		return k.broken(err, header)
	}
	if e := k.overUserProperties(&p.Props); e != nil {
		return e
	}
	var left []string
	codes := make([]mqtt.ReasonCode, len(p.Filters)) // Success, also where there was no subscription
	if n := len(codes); n > maxFilters {
		k.at.Fail(check.LimitTopicsPerPacket, attempt.F("packet", "UNSUBSCRIBE"), attempt.F("offered", strconv.Itoa(n)), attempt.F("required", strconv.Itoa(maxFilters)))
		if k.version != mqtt.V5 {
			return &ending{reason: clientError}
		}
		for i := range codes {
			codes[i] = mqtt.UnspecifiedError
		}
	} else {
		for i, filter := range p.Filters {
			if f := checkTopicFilter(string(filter)); f.found() && f.check == check.TopicFilterInvalid {
				codes[i] = mqtt.TopicFilterInvalid
				k.at.Warn(f.check, f.evidence...)
				continue
			}
			if share, _ := broker.SplitShare(string(filter)); share != "" { // counted, not refused: no code of UNSUBACK says so
				k.server.groupChanges.allow(k.server.cfg.Limits.SharedRate, string(filter), k.work.batch.Now)
			}
			k.client.Unsubscribe(string(filter))
			left = append(left, string(filter))
		}
	}
	out := k.answersTo()
	b, err := (&mqtt.Unsuback{PacketID: p.PacketID, Codes: codes}).Append(*out, k.version)
	if err != nil {
		panic("mqttconn: cannot encode UNSUBACK: " + err.Error()) // every field is our own
	}
	*out = b
	outcome := observe.Success
	if len(codes) > maxFilters {
		outcome = observe.ClientError
	}
	k.saw(observe.Event{Kind: observe.Unsubscribe, Outcome: outcome})
	k.announceUnsubscribed(left)
	return nil
}
