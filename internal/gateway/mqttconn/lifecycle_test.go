package mqttconn

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-iot/gatehouse/internal/attempt"
	"github.com/gatehouse-iot/gatehouse/internal/check"
	"github.com/gatehouse-iot/gatehouse/mqtt"
	"github.com/gatehouse-iot/gatehouse/policy"
)

// ExclusiveThing makes grants tell of an exclusive attachment, as identity.Authorization does.
func (g *grants) ExclusiveThing() string { return g.w.exclusive }

// Policies makes grants name its documents, as identity.Authorization does.
func (g *grants) Policies() []policy.Named { return g.w.policies.Load().Policies() }

// watch connects a client that gets every lifecycle event of others.
func (w *world) watch() *device {
	w.t.Helper()
	d := w.dial(mqtt.V311, dialOptions{ip: "203.0.113.99", principal: strings.Repeat("cd", 32)}).connect("watcher")
	d.send(subscribeTo(1, "$aws/events/presence/+/+", "$aws/events/subscriptions/+/+"))
	d.messages()          // of its own subscription
	w.serving.Go(func() { // keeps it alive
		for {
			select {
			case <-d.done:
				return
			case <-time.After(time.Minute):
				d.nc.SetWriteDeadline(time.Time{})
				d.nc.Write([]byte{0xC0, 0}) // PINGREQ
			}
		}
	})
	return d
}

// events returns what the watcher got since the last time: topic and payload, with the IDs of the
// devices' attempts by name.
func (d *device) events(of map[string]*device) (list []string) {
	d.w.t.Helper()
	for p := d.next(); p != nil; p = d.next() {
		m, ok := p.(*mqtt.Publish)
		if !ok {
			continue
		}
		d.send(&mqtt.Puback{PacketID: m.PacketID})
		text := string(m.Topic) + " " + string(m.Payload)
		for name, dev := range of {
			text = strings.ReplaceAll(text, dev.at.ID(), name)
		}
		list = append(list, fmt.Sprintf("%s %d", text, m.QoS))
	}
	return list
}

var principal = strings.Repeat("ab", 32)

// TestLifecycleEvents pins each payload with the order of its members. Source: mqtt sheet 17.
func TestLifecycleEvents(t *testing.T) {
	inWorld(t, Config{Limits: OpenLimits}, func(w *world) {
		w.exclusive = "pump <7>"
		watcher := w.watch()
		d := w.dial(mqtt.V5).connect("pump/7")
		of := map[string]*device{"SESSION": d}
		if got := watcher.events(of); len(got) != 0 { // "+" is one level
			t.Errorf("events of a client ID with a slash: %q", got)
		}
		d.send(&mqtt.Disconnect{})

		d = w.dial(mqtt.V5).connect("pump-7")
		of["SESSION"] = d
		d.send(subscribeTo(1, "cmd/pump-7", "a//#/b", "cfg/+/all&<"))
		time.Sleep(1500 * time.Millisecond)
		d.send(&mqtt.Unsubscribe{PacketID: 4, Filters: [][]byte{[]byte("cfg/+/all&<")}})
		d.send(&mqtt.Disconnect{})
		now := "9466848"
		same := `"thingName":"pump <7>","timestamp":` + now
		ids := `"sessionIdentifier":"SESSION","principalIdentifier":"` + principal + `"`
		got := watcher.events(of)
		if diff := cmp.Diff([]string{
			`$aws/events/presence/connected/pump-7 {"clientId":"pump-7",` + same + `00000,"eventType":"connected",` + ids + `,"ipAddress":"203.0.113.20","versionNumber":0} 1`,
			`$aws/events/subscriptions/subscribed/pump-7 {"clientId":"pump-7",` + same + `00000,"eventType":"subscribed",` + ids + `,"topics":["cmd/pump-7","cfg/+/all&<"]} 1`,
			`$aws/events/subscriptions/unsubscribed/pump-7 {"clientId":"pump-7",` + same + `01500,"eventType":"unsubscribed",` + ids + `,"topics":["cfg/+/all&<"]} 1`,
			`$aws/events/presence/disconnected/pump-7 {"clientId":"pump-7",` + same + `01500,"eventType":"disconnected","clientInitiatedDisconnect":true,"disconnectReason":"CLIENT_INITIATED_DISCONNECT",` + ids + `,"versionNumber":0} 1`,
		}, got); diff != "" {
			t.Errorf("events (-want +got):\n%s", diff)
		}

		w.exclusive = "" // an attachment that is not exclusive says nothing
		w.policy(strings.ReplaceAll(allowAll, `"Resource":"*"`, `"Resource":["arn:aws:iot:us-east-1:123456789012:client/watcher","arn:aws:iot:us-east-1:123456789012:topic/*"]`))
		d = w.dial(mqtt.V311)
		of["SESSION"] = d
		d.send(&mqtt.Connect{Version: mqtt.V311, CleanStart: true, KeepAlive: 60, ClientID: []byte("pump-8")})
		if diff := cmp.Diff([]string{
			`$aws/events/presence/connect_failed/pump-8 {"clientId":"pump-8","timestamp":` + now + `01500,"eventType":"connect_failed","connectFailureReason":"AUTHORIZATION_FAILED","principalIdentifier":"` + principal + `","sessionIdentifier":"SESSION","ipAddress":"203.0.113.20"} 1`,
		}, watcher.events(of)); diff != "" {
			t.Errorf("refused CONNECT (-want +got):\n%s", diff)
		}
		w.policy(allowAll, `{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Action":"iot:Publish","Resource":"*"}]}`)
		d = w.dial(mqtt.V5)
		d.send(&mqtt.Connect{Version: mqtt.V5, CleanStart: true, KeepAlive: 60, ClientID: []byte("pump-8"), Will: &mqtt.Will{Topic: []byte("gone")}})
		if got := watcher.events(of); len(got) != 1 || !strings.HasPrefix(got[0], "$aws/events/presence/connect_failed/pump-8 ") {
			t.Errorf("events after a will that may not be published: %q", got)
		}
		d.next()

		w.policy(allowAll)
		for _, id := range []string{"a#", "b+c"} { // no events for these
			w.dial(mqtt.V311).connect(id).hangUp()
		}
		if got := watcher.events(nil); len(got) != 0 {
			t.Errorf("events of client IDs with wildcards: %q", got)
		}
		watcher.send(&mqtt.Disconnect{})
	})
}

// TestVersionNumber: it grows with each connection of a client ID, and starts again after an hour
// without one. Source: mqtt sheet 17.3.
func TestVersionNumber(t *testing.T) {
	inWorld(t, Config{Limits: OpenLimits}, func(w *world) {
		watcher := w.watch()
		numbers := func() (list []string) {
			for _, e := range watcher.events(nil) {
				kind, _, _ := strings.Cut(strings.TrimPrefix(e, "$aws/events/presence/"), "/")
				_, number, _ := strings.Cut(e, `"versionNumber":`)
				list = append(list, kind+" "+strings.TrimSuffix(number, "} 1"))
			}
			slices.Sort(list) // events of two connections have no order
			return list
		}
		keepAlive := func(p *mqtt.Connect) { p.KeepAlive = 1200 }
		first := w.dial(mqtt.V311).connect("pump-7", keepAlive)
		second := w.dial(mqtt.V311).connect("pump-7", keepAlive)
		second.send(&mqtt.Disconnect{})
		if diff := cmp.Diff([]string{"connected 0", "connected 1", "disconnected 0", "disconnected 1"}, numbers()); diff != "" {
			t.Errorf("take-over (-want +got):\n%s", diff)
		}
		first.ended()
		time.Sleep(59 * time.Minute)
		w.dial(mqtt.V311).connect("pump-7").send(&mqtt.Disconnect{})
		if diff := cmp.Diff([]string{"connected 2", "disconnected 2"}, numbers()); diff != "" {
			t.Errorf("within the hour (-want +got):\n%s", diff)
		}
		time.Sleep(61 * time.Minute)
		w.dial(mqtt.V311).connect("pump-7").send(&mqtt.Disconnect{})
		if diff := cmp.Diff([]string{"connected 0", "disconnected 0"}, numbers()); diff != "" {
			t.Errorf("after the hour (-want +got):\n%s", diff)
		}
		watcher.send(&mqtt.Disconnect{})
	})
}

// TestDisconnectReasons provokes each of the thirteen, with what an MQTT 5 client is told and
// whether its will is published. Source: mqtt sheet 13.
func TestDisconnectReasons(t *testing.T) {
	deny := func(condition string) string {
		return `{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Action":"iot:Publish","Resource":"arn:aws:iot:us-east-1:123456789012:topic/secret"` + condition + `}]}`
	}
	bySource := deny(`,"Condition":{"IpAddress":{"aws:SourceIp":"203.0.113.20"}}`)
	limits := OpenLimits
	limits.Subscriptions = 1
	for name, tt := range map[string]struct {
		version  mqtt.Version
		lifetime LifetimeSource // with a lifetime of a minute
		limited  bool
		policies []string
		end      func(w *world, d *device)
		reason   disconnectReason
		code     mqtt.ReasonCode // of DISCONNECT; 0: none
		noWill   bool
		recorded string // check that the attempt has
	}{
		"DISCONNECT":           {end: func(_ *world, d *device) { d.send(&mqtt.Disconnect{}) }, reason: clientInitiated, noWill: true},
		"DISCONNECT with will": {end: func(_ *world, d *device) { d.send(&mqtt.Disconnect{Reason: mqtt.DisconnectWithWill}) }, reason: clientInitiated},
		"hang up":              {end: func(_ *world, d *device) { d.hangUp() }, reason: connectionLost},
		"silence":              {end: func(*world, *device) { time.Sleep(2 * time.Minute) }, reason: keepAliveOver, code: mqtt.KeepAliveTimeout},
		"take-over":            {end: func(w *world, _ *device) { w.dial(mqtt.V5).connect("pump-7").send(&mqtt.Disconnect{}) }, reason: duplicateClient, code: mqtt.SessionTakenOver},
		"malformed packet":     {end: func(_ *world, d *device) { d.send([]byte{0x00, 0x00}) }, reason: clientError, code: mqtt.MalformedPacket},
		"second CONNECT":       {end: func(_ *world, d *device) { d.send(&mqtt.Connect{Version: mqtt.V5, ClientID: []byte("x")}) }, reason: clientError, code: mqtt.ProtocolError},
		"PUBREC":               {end: func(_ *world, d *device) { d.send([]byte{0x50, 2, 0, 1}) }, reason: clientError, code: mqtt.ProtocolError},
		"payload too large":    {end: func(_ *world, d *device) { d.send(publishOf("a", strings.Repeat("x", maxPayload+1), 0)) }, reason: clientError, code: mqtt.QuotaExceeded},
		"QoS 2":                {end: func(_ *world, d *device) { d.send(publishOf("a", "x", 2)) }, reason: clientError, code: mqtt.QoSNotSupported},
		"denied publish":       {policies: []string{allowAll, deny("")}, end: func(_ *world, d *device) { d.send(publishOf("secret", "x", 0)) }, reason: authError, code: mqtt.NotAuthorized},
		"certificate deactivated": {end: func(w *world, _ *device) {
			w.server.Cut(principal, check.PrincipalCut, attempt.F("status", "INACTIVE"))
			synctest.Wait()
		}, reason: authError, code: mqtt.NotAuthorized},
		"denied by source": {policies: []string{allowAll, bySource}, end: func(_ *world, d *device) { d.send(publishOf("secret", "x", 0)) }, reason: forbidden, code: mqtt.NotAuthorized},
		"throttled":        {version: mqtt.V311, limited: true, end: func(_ *world, d *device) { d.send(subscribeTo(0, "a", "b")) }, reason: throttled},
		"DeleteConnection": {end: func(w *world, _ *device) {
			if err := w.server.Disconnect(w.t.Context(), "pump-7", false, false); err != nil {
				t.Error(err)
			}
			synctest.Wait()
		}, reason: apiInitiated, code: mqtt.AdministrativeAction, recorded: "connection.deleted"},
		"DeleteConnection without will": {end: func(w *world, _ *device) {
			if err := w.server.Disconnect(w.t.Context(), "pump-7", true, false); err != nil {
				t.Error(err)
			}
			synctest.Wait()
		}, reason: apiInitiated, code: mqtt.AdministrativeAction, noWill: true},
		"shutdown": {end: func(w *world, _ *device) { w.server.live("pump-7").end(shutdown); synctest.Wait() }, reason: serverInitiated, code: mqtt.ServerShuttingDown},
		"broken server": {end: func(w *world, d *device) {
			w.server.live("pump-7").end(*w.server.live("pump-7").failed("test", errors.New("broken")))
			synctest.Wait()
		}, reason: serverFault, code: mqtt.UnspecifiedError},
		"24 hours":   {lifetime: WebSocketLifetime, end: func(*world, *device) { time.Sleep(62 * time.Second) }, reason: webSocketTTL, code: mqtt.MaximumConnectTime, recorded: "session.max_lifetime"},
		"authorizer": {lifetime: AuthorizerLifetime, end: func(*world, *device) { time.Sleep(62 * time.Second) }, reason: customAuthTTL, code: mqtt.MaximumConnectTime, recorded: "connection.authorizer_ttl"},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := Config{Limits: OpenLimits}
			if tt.limited {
				cfg.Limits = limits
			}
			version := tt.version
			if version == 0 {
				version = mqtt.V5
			}
			inWorld(t, cfg, func(w *world) {
				keepAlive := func(p *mqtt.Connect) { p.KeepAlive = 1200 }
				other := dialOptions{ip: "203.0.113.99", principal: strings.Repeat("cd", 32)}
				w.policy(allowAll)
				watcher := w.dial(mqtt.V311, other).connect("watcher", keepAlive)
				wills := w.dial(mqtt.V311, other).connect("wills", keepAlive)
				if cfg.Limits.Subscriptions == 1 {
					w.server.cfg.Limits.Subscriptions = 9
				}
				watcher.send(subscribeTo(1, "$aws/events/presence/disconnected/pump-7"))
				wills.send(subscribeTo(0, "gone"))
				w.server.cfg.Limits.Subscriptions = cfg.Limits.Subscriptions
				if tt.policies != nil {
					w.policy(tt.policies...)
				}
				opt := dialOptions{ip: "203.0.113.20", principal: principal}
				if strings.HasSuffix(string(tt.reason), "TTL_EXPIRATION") {
					opt.lifetime = Lifetime{Ends: time.Now().Add(time.Minute), By: tt.lifetime}
				}
				d := w.dial(version, opt).connect("pump-7", func(p *mqtt.Connect) {
					if tt.reason != keepAliveOver {
						p.KeepAlive = 1200
					}
					p.Will = &mqtt.Will{Topic: []byte("gone"), Payload: []byte("pump-7")}
				})
				tt.end(w, d)
				synctest.Wait()
				reasons := 0
				for _, e := range watcher.events(nil) {
					if strings.Contains(e, `"disconnectReason":"`+string(tt.reason)+`"`) && strings.Contains(e, fmt.Sprintf(`"clientInitiatedDisconnect":%t`, tt.reason == clientInitiated)) {
						reasons++
					} else if tt.reason != duplicateClient { // there the other connection ends too
						t.Errorf("event %s, want reason %s", e, tt.reason)
					}
				}
				if reasons != 1 {
					t.Errorf("%d events with reason %s, want 1", reasons, tt.reason)
				}
				if got := len(wills.messages()) == 1; got == tt.noWill {
					t.Errorf("will published: %v, want %v", got, !tt.noWill)
				}
				var code mqtt.ReasonCode
				for p := d.next(); p != nil; p = d.next() {
					if bye, ok := p.(*mqtt.Disconnect); ok {
						code = bye.Reason
					}
				}
				if code != tt.code {
					t.Errorf("DISCONNECT 0x%X, want 0x%X", code, tt.code)
				}
				if got := d.codes(); !strings.Contains(got, tt.recorded) {
					t.Errorf("recorded %s, want %s", got, tt.recorded)
				}
				if c, found := w.server.Connection("pump-7"); !found || c.Connected || tt.reason != duplicateClient && c.DisconnectReason != string(tt.reason) {
					t.Errorf("Connection: %+v, %v; want reason %s", c, found, tt.reason)
				}
				watcher.send(&mqtt.Disconnect{})
				wills.send(&mqtt.Disconnect{})
			})
		})
	}
}
