package mqttconn

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gatehouse-iot/gatehouse/internal/identity"
	"github.com/gatehouse-iot/gatehouse/internal/registry"
	"github.com/gatehouse-iot/gatehouse/mqtt"
)

func allow(action, resource string) string {
	return `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"` + action + `","Resource":"arn:aws:iot:us-east-1:123456789012:` + resource + `"}]}`
}

// TestConnectRefused goes through mqtt sheet 2.1, row by row, for both versions.
func TestConnectRefused(t *testing.T) {
	const closed = ""
	long := strings.Repeat("x", 129)
	connect := func(change func(*mqtt.Connect)) *mqtt.Connect {
		p := &mqtt.Connect{CleanStart: true, KeepAlive: 60, ClientID: []byte("pump-7")}
		change(p)
		return p
	}
	withWill := func(topic string, qos mqtt.QoS, retain bool) *mqtt.Connect {
		return connect(func(p *mqtt.Connect) {
			p.Will = &mqtt.Will{Topic: []byte(topic), Payload: []byte("gone"), QoS: qos, Retain: retain}
		})
	}
	for name, tt := range map[string]struct {
		packet any
		policy string
		cfg    Config
		v3, v5 string // what arrives
		only   mqtt.Version
		codes  string
	}{
		"1 not a CONNECT":           {packet: &mqtt.Pingreq{}, v3: closed, v5: closed, codes: "failed mqtt.first_not_connect, CLIENT_ERROR"},
		"1 not MQTT":                {packet: []byte("GET / HTTP/1.1\r\n\r\n"), v3: closed, v5: closed, codes: "failed mqtt.first_not_connect, CLIENT_ERROR"},
		"1 reserved flag, v3":       {packet: []byte("\x10\x0d\x00\x04MQTT\x04\x03\x00\x3c\x00\x01a"), v3: closed, only: mqtt.V311, codes: "failed mqtt.malformed, CLIENT_ERROR"},
		"1 reserved flag, v5":       {packet: []byte("\x10\x0e\x00\x04MQTT\x05\x03\x00\x3c\x00\x00\x01a"), v5: "20 03 00 81 00", only: mqtt.V5, codes: "failed mqtt.malformed, CLIENT_ERROR"},
		"1 property twice":          {packet: []byte("\x10\x18\x00\x04MQTT\x05\x02\x00\x3c\x0a\x11\x00\x00\x00\x01\x11\x00\x00\x00\x01\x00\x01a"), v5: "20 03 00 82 00", only: mqtt.V5, codes: "failed mqtt.protocol_error, CLIENT_ERROR"},
		"1 protocol name":           {packet: []byte("\x10\x0d\x00\x04MQTX\x04\x02\x00\x3c\x00\x01a"), v3: closed, only: mqtt.V311, codes: "failed mqtt.malformed, CLIENT_ERROR"},
		"2 MQTT 3.1":                {packet: []byte("\x10\x0f\x00\x06MQIsdp\x03\x02\x00\x3c\x00\x01a"), v3: "20 02 00 01", only: mqtt.V311, codes: "failed mqtt.protocol_level, CLIENT_ERROR"},
		"2 level 6":                 {packet: []byte("\x10\x0d\x00\x04MQTT\x06\x02\x00\x3c\x00\x01a"), v3: "20 02 00 01", only: mqtt.V311, codes: "failed mqtt.protocol_level, CLIENT_ERROR"},
		"3 client ID too long":      {packet: connect(func(p *mqtt.Connect) { p.ClientID = []byte(long) }), v3: "20 02 00 02", v5: "20 03 00 85 00", codes: "failed limit.client_id_length, CLIENT_ERROR"},
		"3 client ID with $":        {packet: connect(func(p *mqtt.Connect) { p.ClientID = []byte("$x") }), v3: "20 02 00 02", v5: "20 03 00 85 00", codes: "failed mqtt.client_id.reserved, CLIENT_ERROR"},
		"3 client ID empty":         {packet: connect(func(p *mqtt.Connect) { p.ClientID, p.CleanStart = nil, false }), v3: "20 02 00 02", only: mqtt.V311, codes: "failed mqtt.client_id.empty, CLIENT_ERROR"},
		"4 will QoS 2":              {packet: withWill("t", 2, false), v3: closed, v5: "20 03 00 9B 00", codes: "failed mqtt.will.qos2, CLIENT_ERROR"},
		"5 will topic wildcard":     {packet: withWill("t/#", 0, false), v3: closed, v5: "20 03 00 90 00", codes: "failed mqtt.will.topic, CLIENT_ERROR"},
		"5 will topic levels":       {packet: withWill("1/2/3/4/5/6/7/8/9", 0, false), v3: closed, v5: "20 03 00 90 00", codes: "failed mqtt.will.topic, CLIENT_ERROR"},
		"5 will topic reserved":     {packet: withWill("$SYS/broker/connection/x/state", 0, true), v3: closed, v5: "20 03 00 90 00", codes: "failed mqtt.will.topic, CLIENT_ERROR"},
		"6 authentication method":   {packet: connect(func(p *mqtt.Connect) { p.Props.SetAuthMethod([]byte("SCRAM")) }), v5: "20 03 00 8C 00", only: mqtt.V5, codes: "failed mqtt.auth_method, CLIENT_ERROR"},
		"9 no policy":               {packet: connect(func(*mqtt.Connect) {}), policy: "-", v3: closed, v5: "20 03 00 87 00", codes: "failed policy.none_attached, AUTH_ERROR"},
		"9 no statement":            {packet: connect(func(*mqtt.Connect) {}), policy: allow("iot:Publish", "topic/t"), v3: closed, v5: "20 03 00 87 00", codes: "failed authz.connect.no_statement, AUTH_ERROR"},
		"9 resource type":           {packet: connect(func(*mqtt.Connect) {}), policy: allow("iot:*", "topic/test"), v3: closed, v5: "20 03 00 87 00", codes: "failed authz.connect.resource_type, AUTH_ERROR"},
		"9 client ID":               {packet: connect(func(*mqtt.Connect) {}), policy: allow("iot:Connect", "client/pump-8"), v3: closed, v5: "20 03 00 87 00", codes: "failed authz.connect.client_id, AUTH_ERROR"},
		"9 connack5":                {packet: connect(func(*mqtt.Connect) {}), policy: allow("iot:Connect", "client/pump-8"), cfg: Config{Refusals: Refusals{ConnectDenied: ConnectConnack5}}, v3: "20 02 00 05", v5: "20 03 00 87 00", codes: "failed authz.connect.client_id, AUTH_ERROR"},
		"9 will topic":              {packet: withWill("t", 1, false), policy: allow("iot:Connect", "client/*"), v3: closed, v5: "20 03 00 87 00", codes: "failed authz.will.publish, AUTH_ERROR"},
		"9 all faults are told":     {packet: withWill("t", 2, false), policy: allow("iot:Connect", "client/pump-8"), v3: closed, v5: "20 03 00 9B 00", codes: "failed mqtt.will.qos2, also authz.connect.client_id, CLIENT_ERROR"},
		"9 generated ID":            {packet: connect(func(p *mqtt.Connect) { p.ClientID = nil }), policy: allow("iot:Connect", "client/pump-8"), v3: closed, v5: "20 03 00 87 00", codes: "failed authz.connect.client_id_empty, AUTH_ERROR"},
		"1 packet beyond the limit": {packet: []byte("\x10\xff\xff\xff\x7f"), v3: closed, v5: closed, codes: "failed limit.packet, CLIENT_ERROR"},
	} {
		for _, v := range []mqtt.Version{mqtt.V311, mqtt.V5} {
			if tt.only != 0 && tt.only != v {
				continue
			}
			t.Run(name+" "+v.String(), func(t *testing.T) {
				inWorld(t, tt.cfg, func(w *world) {
					if tt.policy == "-" {
						w.policy()
					} else if tt.policy != "" {
						w.policy(tt.policy)
					}
					d := w.dial(v)
					d.send(tt.packet)
					want := tt.v3
					if v == mqtt.V5 {
						want = tt.v5
					}
					if got := d.raw(); got != want {
						t.Errorf("answer %q, want %q", got, want)
					}
					if !d.ended() {
						t.Error("the connection was not ended with close_notify")
					}
					if got := d.codes(); got != tt.codes {
						t.Errorf("recorded %q, want %q", got, tt.codes)
					}
				})
			})
		}
	}
}

func TestConnack(t *testing.T) {
	inWorld(t, Config{}, func(w *world) {
		d := w.dial(mqtt.V5)
		d.send(&mqtt.Connect{CleanStart: true, KeepAlive: 1200, ClientID: []byte("a")})
		// The reference packet of mqtt sheet 3, byte for byte.
		const reference = "20 1B 00 00 18 21 00 64 24 01 25 01 27 00 02 48 00 22 00 08 28 01 29 00 2A 01 13 04 B0"
		if got := d.raw(); got != reference {
			t.Errorf("CONNACK\n%s, want\n%s", got, reference)
		}
		d = w.dial(mqtt.V311)
		d.send(&mqtt.Connect{CleanStart: true, KeepAlive: 1200, ClientID: []byte("b")})
		if got := d.raw(); got != "20 02 00 00" {
			t.Errorf("CONNACK %s", got)
		}
		d = w.dial(mqtt.V5)
		c := &mqtt.Connect{KeepAlive: 5}
		c.Props.SetSessionExpiry(100)
		d.send(c)
		a := d.next().(*mqtt.Connack)
		if id := string(a.Props.AssignedClientID); len(id) != 36 || d.record().ClientID != id {
			t.Errorf("assigned client ID %q, recorded %q", id, d.record().ClientID)
		}
		if !a.Props.Has(mqtt.PropSessionExpiry) || a.Props.SessionExpiry != 0 || a.SessionPresent || a.Props.ServerKeepAlive != 30 {
			t.Errorf("CONNACK %+v, want session expiry 0 without a log, keep-alive 30", a)
		}
		if got := d.codes(); got != "warned keepalive.below_min" {
			t.Errorf("recorded %q", got)
		}
	})
}

func TestConnectRate(t *testing.T) {
	inWorld(t, Config{}, func(w *world) {
		w.dial(mqtt.V5).connect("a").hangUp()
		d := w.dial(mqtt.V5)
		d.send(&mqtt.Connect{ClientID: []byte("a")})
		if got := d.raw(); got != "20 03 00 97 00" || d.codes() != "failed limit.connect_rate.client_id, THROTTLED" {
			t.Errorf("second CONNECT within a second: %s, %s", got, d.codes())
		}
		w.dial(mqtt.V5).connect("b")
		time.Sleep(time.Second)
		w.dial(mqtt.V5).connect("a")
	})
	inWorld(t, Config{Limits: OpenLimits}, func(w *world) {
		for range 5 {
			w.dial(mqtt.V5).connect("a").hangUp()
		}
	})
}

func TestFirstPacketTimeout(t *testing.T) {
	for name, bytes := range map[string][]byte{"silence": nil, "a slow sender": {0x10}} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, Config{}, func(w *world) {
				d := w.dial(mqtt.V311)
				if bytes != nil {
					d.send(bytes)
				}
				time.Sleep(9 * time.Second)
				if d.ended() {
					t.Error("ended before 10 s")
				}
				time.Sleep(2 * time.Second)
				if !d.ended() || d.codes() != "failed connect.timeout, CLIENT_ERROR" {
					t.Errorf("ended %v, recorded %q", d.ended(), d.codes())
				}
			})
		})
	}
}

func TestBrokenMachinery(t *testing.T) {
	inWorld(t, Config{}, func(w *world) {
		w.broken.Store(true)
		d := w.dial(mqtt.V5)
		d.send(&mqtt.Connect{ClientID: []byte("a")})
		if got := d.raw(); got != "20 03 00 80 00" || d.codes() != "failed server.error, SERVER_ERROR" {
			t.Errorf("%s, recorded %q", got, d.codes())
		}
		d = w.dial(mqtt.V311)
		d.send(&mqtt.Connect{ClientID: []byte("a"), CleanStart: true})
		if got := d.raw(); got != "" || !d.ended() {
			t.Errorf("answer %q, ended %v", got, d.ended())
		}
	})
}

// TestDeactivatedSinceTheHandshake: the status is read when Cut can reach the connection, so one of
// the two ends a connection whose certificate loses its right between its handshake and then.
func TestDeactivatedSinceTheHandshake(t *testing.T) {
	const id = "abababababababababababababababababababababababababababababababab"
	for name, tt := range map[string]struct {
		status registry.CertificateStatus
		err    error
		codes  string
	}{
		"active":   {registry.StatusActive, nil, ""},
		"inactive": {registry.StatusInactive, nil, "failed connection.principal_cut, AUTH_ERROR"},
		"deleted":  {registry.StatusDeleted, nil, "failed connection.principal_cut, AUTH_ERROR"},
		"unknown":  {"", errors.New("the registry is on fire"), "failed server.error, SERVER_ERROR"},
	} {
		t.Run(name, func(t *testing.T) {
			var server *Server
			reachable := 0
			cfg := Config{Status: func(context.Context, identity.Principal) (registry.CertificateStatus, error) {
				server.mu.Lock()
				defer server.mu.Unlock()
				reachable = len(server.byCert[id])
				return tt.status, tt.err
			}}
			inWorld(t, cfg, func(w *world) {
				server = w.server
				d := w.dial(mqtt.V311, dialOptions{ip: "203.0.113.20", principal: id})
				synctest.Wait()
				if reachable != 1 {
					t.Errorf("Cut reached %d connections when the status was read, want 1", reachable)
				}
				if tt.codes == "" {
					d.connect("c")
				} else if !d.ended() {
					t.Error("the connection lives on")
				}
				if got := d.codes(); got != tt.codes {
					t.Errorf("recorded %q, want %q", got, tt.codes)
				}
			})
		})
	}
}

func TestSDKName(t *testing.T) {
	for user, want := range map[string]string{
		"?SDK=NodeJSv2&Version=1.21.0":                        "?SDK=NodeJSv2&Version=1.21.0",
		"name?SDK=FreeRTOS&Version=1&Platform=p&MQTTLib=core": "?SDK=FreeRTOS&Version=1&Platform=p&MQTTLib=core",
		"?SDK=Go&token=s3cret&Version=1&x-amz-other=s3cret":   "?SDK=Go&Version=1",
		"name?x-amz-customauthorizer-name=a&token=s3cret":     "",
		"?token=s3cret&SDK=Go":                                "",
		"name":                                                "",
		"?SDK=" + strings.Repeat("x", 65000):                  "?SDK=" + strings.Repeat("x", 252),
		"":                                                    "",
	} {
		if got := sdkOf(user); got != want {
			t.Errorf("sdkOf(%q) = %q, want %q", user, got, want)
		}
	}
}

// TestReasonStrings: with --refusals explain a failure names its attempt, unless the client wants no
// problem information; with aws it never does. Source: mqtt sheet 3.
func TestReasonStrings(t *testing.T) {
	for name, tt := range map[string]struct {
		refusals Refusals
		terse    bool
		want     bool
	}{
		"aws":              {AWSRefusals, false, false},
		"explain":          {ExplainRefusals, false, true},
		"explain, refused": {ExplainRefusals, true, false},
	} {
		inWorld(t, Config{Limits: OpenLimits, Refusals: tt.refusals}, func(w *world) {
			ask := func(p *mqtt.Connect) {
				if tt.terse {
					p.Props.SetRequestProblemInfo(false)
				}
			}
			d := w.dial(mqtt.V5).connect("pump", ask)
			d.send(publishOf("a", "x", 2))
			bye, ok := d.next().(*mqtt.Disconnect)
			if !ok || (string(bye.Props.ReasonString) == d.at.ID()) != tt.want {
				t.Errorf("%s: DISCONNECT %+v, want a reason string: %v", name, bye, tt.want)
			}
			w.policy(`{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Action":"*","Resource":"*"}]}`)
			d = w.dial(mqtt.V5)
			p := &mqtt.Connect{Version: mqtt.V5, CleanStart: true, ClientID: []byte("valve"), KeepAlive: 60}
			ask(p)
			d.send(p)
			answer, ok := d.next().(*mqtt.Connack)
			if !ok || answer.Reason != mqtt.NotAuthorized || (string(answer.Props.ReasonString) == d.at.ID()) != tt.want {
				t.Errorf("%s: CONNACK %+v, want a reason string: %v", name, answer, tt.want)
			}
		})
	}
}
