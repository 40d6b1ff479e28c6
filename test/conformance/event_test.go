package conformance

import (
	"encoding/json"
	"regexp"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iotdataplane"

	"github.com/gatehouse-iot/gatehouse/mqtt"
)

var member = regexp.MustCompile(`"(\w+)":`)

// an event that a lifecycle topic holds next: its members in order, and their values.
func (p *peer) event(topic, members string) map[string]any {
	p.Helper()
	m, ok := p.next().(*mqtt.Publish)
	if !ok || string(m.Topic) != topic {
		p.Fatalf("got %+v, want an event on %s", m, topic)
	}
	var got []string
	for _, name := range member.FindAllSubmatch(m.Payload, -1) {
		got = append(got, string(name[1]))
	}
	if strings.Join(got, " ") != members {
		p.Errorf("%s has %v, want %s", topic, got, members)
	}
	values := map[string]any{}
	p.must(json.Unmarshal(m.Payload, &values))
	return values
}

const presence, subscriptions = "$aws/events/presence/", "$aws/events/subscriptions/"

var eventRows = []row{
	each("17", "17.1 connected and 17.2 disconnected", func(p *peer) {
		watch := p.watches(presence+"connected/"+p.id, presence+"disconnected/"+p.id)
		p.connect()
		up := watch.event(presence+"connected/"+p.id, "clientId timestamp eventType sessionIdentifier principalIdentifier ipAddress versionNumber")
		if up["clientId"] != p.id || up["eventType"] != "connected" || up["principalIdentifier"] != p.w.ids[p.certificate()] || up["ipAddress"] != "127.0.0.1" || up["versionNumber"] != 0. {
			p.Errorf("connected: %v", up)
		}
		p.goes()
		down := watch.event(presence+"disconnected/"+p.id, "clientId timestamp eventType clientInitiatedDisconnect disconnectReason sessionIdentifier principalIdentifier versionNumber")
		if down["clientInitiatedDisconnect"] != true || down["disconnectReason"] != "CLIENT_INITIATED_DISCONNECT" || down["sessionIdentifier"] != up["sessionIdentifier"] || down["versionNumber"] != 0. {
			p.Errorf("disconnected: %v", down)
		}
	}),
	each("17", "17.3 versionNumber", func(p *peer) {
		watch := p.watches(presence + "connected/" + p.id)
		last := -1.
		for range 3 {
			p = p.again(p.v)
			p.connect()
			n := watch.event(presence+"connected/"+p.id, "clientId timestamp eventType sessionIdentifier principalIdentifier ipAddress versionNumber")["versionNumber"].(float64)
			if n <= last {
				p.Errorf("versionNumber %v after %v", n, last)
			}
			last = n
			p.goes()
		}
	}).also("internal/gateway/mqttconn TestVersionNumber", "internal/gateway/mqttconn TestVersionNumberOverRestart", "internal/broker TestNumber"),
	each("17", "17.4 connect_failed", func(p *peer) {
		watch := p.watches(presence+"connect_failed/"+p.id, presence+"disconnected/"+p.id)
		p.limited = true
		p.send(p.hello())
		p.rest()
		e := watch.event(presence+"connect_failed/"+p.id, "clientId timestamp eventType connectFailureReason principalIdentifier sessionIdentifier ipAddress")
		if e["connectFailureReason"] != "AUTHORIZATION_FAILED" {
			p.Errorf("%v", e)
		}
		watch.sees("", open) // no disconnected: there was no session
	}),
	each("17", "17.4 connect_failed: will", func(p *peer) {
		p.mayLittle()
		watch := p.watches(presence + "connect_failed/" + p.id)
		p.send(p.hello(will("no", 0)))
		p.rest()
		watch.event(presence+"connect_failed/"+p.id, "clientId timestamp eventType connectFailureReason principalIdentifier sessionIdentifier ipAddress")
	}),
	each("17", "17.5 subscribed, unsubscribed", func(p *peer) {
		p.mayLittle()
		watch := p.watches(subscriptions+"subscribed/"+p.id, subscriptions+"unsubscribed/"+p.id)
		p.connect()
		p.subscribe(1, "ok/a", "ok/+/b")
		for _, kind := range []string{"subscribed", "unsubscribed"} {
			e := watch.event(subscriptions+kind+"/"+p.id, "clientId timestamp eventType sessionIdentifier principalIdentifier topics")
			if topics, _ := e["topics"].([]any); len(topics) != 2 || topics[1] != "ok/+/b" || e["eventType"] != kind {
				p.Errorf("%v", e)
			}
			if kind == "subscribed" {
				p.send(unsub("ok/a", "ok/+/b"))
				p.next()
			}
		}
		p.subscribe(1, "ok/a")
		watch.next()
		p.goes()
		watch.sees("", open) // none for the end of the connection
	}),
	elsewhere("17", "17.6 principalIdentifier of users and authorizers", "internal/gateway TestWebSocket", "internal/gateway/mqttconn TestRenewed"),
	elsewhere("17", "thingName of an exclusive attachment", "internal/gateway/mqttconn TestLifecycleEvents"),
	elsewhere("17", "HTTP publishes create none", "internal/gateway TestPublishSigned"),
}

var connectionRows = []row{
	each("18", "DeleteConnection", func(p *peer) {
		p.leavesSession(1, p.topic("t"))
		_, err := p.data().DeleteConnection(p.Context(), &iotdataplane.DeleteConnectionInput{ClientId: &p.id, CleanSession: true})
		p.must(err)
		p.resumes(p.v, false) // the session of a client that was away is gone, and it may come back
	}).also("test/e2e TestConnections"),
	each("18", "GetConnection", func(p *peer) {
		p.connect(func(c *mqtt.Connect) { c.KeepAlive = 90 })
		c, err := p.data().GetConnection(p.Context(), &iotdataplane.GetConnectionInput{ClientId: &p.id})
		p.must(err)
		if !c.Connected || !c.CleanSession || c.KeepAliveDuration != 90 || c.SourceIp != nil || aws.ToString(c.ClientId) != p.id {
			p.Errorf("GetConnection: %+v", c)
		}
	}).also("test/e2e TestConnections"),
	each("18", "ListSubscriptions", func(p *peer) {
		p.leavesSession(1, p.topic("a"), p.topic("b"))
		list, err := p.data().ListSubscriptions(p.Context(), &iotdataplane.ListSubscriptionsInput{ClientId: &p.id})
		p.must(err)
		if len(list.Subscriptions) != 2 || list.Subscriptions[0].Qos != 1 {
			p.Errorf("ListSubscriptions: %+v", list.Subscriptions)
		}
	}).also("test/e2e TestConnections"),
	each("18", "SendDirectMessage", func(p *peer) {
		p.connect()
		topic := p.topic("direct")
		_, err := p.data().SendDirectMessage(p.Context(), &iotdataplane.SendDirectMessageInput{ClientId: &p.id, Topic: &topic, Payload: []byte("go"), ContentType: aws.String("text/plain")})
		p.must(err)
		p.gets(message(topic, 0, "go"))
	}).also("internal/gateway/mqttconn TestSendDirect", "test/e2e TestConnections"),
	elsewhere("18", "GetThingConnectivityData", "test/e2e TestConnections"),
}

var limitRows = []row{
	elsewhere("20", "connects/s account or client id", "internal/gateway/mqttconn TestConnectRate"),
	elsewhere("20", "publish/s account", "internal/gateway/mqttconn TestAccountRates"),
	elsewhere("20", "publish/s connection", "internal/gateway/mqttconn TestPublishRate", "test/refusals TestRefusals: H/rate"),
	elsewhere("20", "throughput connection", "internal/gateway/mqttconn TestThroughput", "test/refusals TestRefusals: H-08"),
	elsewhere("20", "un-acked inbound", "internal/gateway/mqttconn TestInflight", "internal/gateway/mqttconn TestUnacknowledgedInbound"),
	elsewhere("20", "un-acked outbound", "internal/broker TestWindow"),
	elsewhere("20", "QoS 1 retry", "internal/gateway/mqttconn TestNotAcked"),
	elsewhere("20", "subscriptions/connection", "internal/gateway/mqttconn TestSubscriptionLimit", "test/refusals TestRefusals: H/subscriptions"),
	elsewhere("20", "filters per SUBSCRIBE", "test/refusals TestRefusals: H-05/subscribe"),
	elsewhere("20", "payload / CONNECT too big", "test/refusals TestRefusals: H-04", "internal/gateway/mqttconn TestLimitConnectSizes"),
	elsewhere("20", "topic length / slashes", "test/refusals TestRefusals: H/topic-length", "test/refusals TestRefusals: H/topic-levels"),
	elsewhere("20", "queue/s account", "internal/gateway/mqttconn TestMissedMessages"),
	elsewhere("20", "retained count / rate", "internal/gateway/mqttconn TestRetainedFull", "internal/gateway/mqttconn TestRetainRates"),
	elsewhere("20", "WebSocket 24 h", "internal/gateway/mqttconn TestDisconnectReasons: 24 hours"),
}
