package mqttconn

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-iot/gatehouse/internal/identity"
	"github.com/gatehouse-iot/gatehouse/mqtt"
	"github.com/gatehouse-iot/gatehouse/policy"
)

// TestPublishRefused goes through mqtt sheet 5.1, row by row, for both versions and QoS.
func TestPublishRefused(t *testing.T) {
	const closed = ""
	props := func(topic string, qos mqtt.QoS, change func(*mqtt.Properties)) *mqtt.Publish {
		p := publishOf(topic, "x", qos)
		change(&p.Props)
		return p
	}
	retained := func(topic string, qos mqtt.QoS) *mqtt.Publish {
		p := publishOf(topic, "x", qos)
		p.Retain = true
		return p
	}
	level9, long := "1/2/3/4/5/6/7/8/9", strings.Repeat("x", 257)
	const onlyPublish = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"iot:Connect","Resource":"arn:aws:iot:us-east-1:123456789012:client/*"},
		{"Effect":"Allow","Action":"iot:Publish","Resource":"arn:aws:iot:us-east-1:123456789012:topic/ok"}]}`
	for name, tt := range map[string]struct {
		packet any
		policy string
		v3, v5 string // what arrives; "-": not asked
		stays  bool   // the MQTT 5 connection stays
		codes  string
	}{
		"1 packet id 0":              {packet: []byte("\x32\x05\x00\x01t\x00\x00"), v3: closed, v5: "E0 01 82", codes: "failed mqtt.protocol_error, CLIENT_ERROR"},
		"1 QoS 3":                    {packet: []byte("\x36\x05\x00\x01t\x00\x01"), v3: closed, v5: "E0 01 81", codes: "failed mqtt.malformed, CLIENT_ERROR"},
		"2 QoS 2":                    {packet: publishOf("ok", "x", 2), v3: closed, v5: "E0 01 9B", codes: "failed mqtt.qos2, CLIENT_ERROR"},
		"3 payload":                  {packet: publishOf("ok", strings.Repeat("x", 131073), 1), v3: closed, v5: "E0 01 97", codes: "failed limit.payload, CLIENT_ERROR"},
		"3 packet":                   {packet: publishOf("ok", strings.Repeat("x", 150000), 1), v3: closed, v5: "E0 01 95", codes: "failed limit.packet, CLIENT_ERROR"},
		"4 alias 9":                  {packet: props("ok", 0, func(p *mqtt.Properties) { p.SetTopicAlias(9) }), v3: "-", v5: "E0 01 94", codes: "failed limit.topic_alias, CLIENT_ERROR"},
		"4 alias unknown":            {packet: props("", 0, func(p *mqtt.Properties) { p.SetTopicAlias(8) }), v3: "-", v5: "E0 01 94", codes: "failed limit.topic_alias, CLIENT_ERROR"},
		"5 empty":                    {packet: publishOf("", "x", 0), v3: closed, v5: "-", codes: "failed topic.invalid, CLIENT_ERROR"},
		"5 wildcard, QoS 0":          {packet: publishOf("a/+", "x", 0), v3: closed, v5: "E0 01 90", codes: "failed topic.invalid, CLIENT_ERROR"},
		"5 wildcard, QoS 1":          {packet: publishOf("a/+", "x", 1), v3: closed, v5: "40 03 00 07 90", stays: true, codes: "failed topic.invalid, CLIENT_ERROR"},
		"5 levels":                   {packet: publishOf(level9, "x", 0), v3: closed, v5: "E0 01 90", codes: "failed limit.topic_levels, CLIENT_ERROR"},
		"5 length":                   {packet: publishOf(long, "x", 1), v3: closed, v5: "40 03 00 07 90", stays: true, codes: "failed limit.topic_length, CLIENT_ERROR"},
		"6 reserved":                 {packet: publishOf("$aws/things/t/shadow/update/accepted", "x", 0), v3: closed, v5: "E0 01 90", codes: "failed topic.reserved, CLIENT_ERROR"},
		"6 no such reserved topic":   {packet: publishOf("$aws/magic", "x", 1), v3: closed, v5: "40 03 00 07 90", stays: true, codes: "failed topic.reserved, CLIENT_ERROR"},
		"7 retain on reserved":       {packet: retained("$aws/things/t/shadow/update", 0), v3: closed, v5: "E0 01 90", codes: "failed topic.reserved_retain, CLIENT_ERROR"},
		"8 response topic":           {packet: props("ok", 0, func(p *mqtt.Properties) { p.SetResponseTopic([]byte("a/#")) }), v3: "-", v5: "E0 01 82", codes: "failed mqtt.protocol_error, CLIENT_ERROR"},
		"8 content type":             {packet: props("ok", 1, func(p *mqtt.Properties) { p.SetContentType([]byte(long)) }), v3: "-", v5: "E0 01 97", codes: "failed limit.content_type, CLIENT_ERROR"},
		"8 correlation data":         {packet: props("ok", 0, func(p *mqtt.Properties) { p.SetCorrelationData([]byte(long)) }), v3: "-", v5: "E0 01 97", codes: "failed limit.correlation_data, CLIENT_ERROR"},
		"8 user properties":          {packet: props("ok", 0, func(p *mqtt.Properties) { p.AddUser("k", strings.Repeat("v", 8192)) }), v3: "-", v5: "E0 01 97", codes: "failed limit.user_properties, CLIENT_ERROR"},
		"10 policy, QoS 0":           {packet: publishOf("no", "x", 0), policy: onlyPublish, v3: closed, v5: "E0 01 87", codes: "failed authz.publish, AUTH_ERROR"},
		"10 policy, QoS 1":           {packet: publishOf("no", "x", 1), policy: onlyPublish, v3: closed, v5: "40 03 00 07 87", stays: true, codes: "failed authz.publish, AUTH_ERROR"},
		"10 RetainPublish":           {packet: retained("ok", 1), policy: onlyPublish, v3: closed, v5: "40 03 00 07 87", stays: true, codes: "failed authz.retain_publish, AUTH_ERROR"},
		"12 allowed":                 {packet: publishOf("ok", "x", 1), v3: "40 02 00 07", v5: "40 02 00 07", stays: true},
		"12 payload of 128 KiB":      {packet: publishOf("ok", strings.Repeat("x", 131072), 1), v3: "40 02 00 07", v5: "40 02 00 07", stays: true},
		"12 Basic Ingest":            {packet: publishOf("$aws/rules/r/1/2/3/4/5/6/7/8", "x", 1), v3: "40 02 00 07", v5: "40 02 00 07", stays: true, codes: "warned topic.service_not_built"},
		"12 retained":                {packet: retained("ok", 1), v3: "40 02 00 07", v5: "40 02 00 07", stays: true},
		"second CONNECT":             {packet: &mqtt.Connect{ClientID: []byte("c")}, v3: closed, v5: "E0 01 82", codes: "failed mqtt.second_connect, CLIENT_ERROR"},
		"PUBREL":                     {packet: &mqtt.Pubrel{PacketID: 1}, v3: closed, v5: "E0 01 82", codes: "failed mqtt.unexpected_packet, CLIENT_ERROR"},
		"a packet of servers":        {packet: []byte{0xD0, 0}, v3: closed, v5: "E0 01 82", codes: "failed mqtt.protocol_error, CLIENT_ERROR"},
		"not a packet":               {packet: []byte{0, 0}, v3: closed, v5: "E0 01 81", codes: "failed mqtt.malformed, CLIENT_ERROR"},
		"PINGREQ":                    {packet: &mqtt.Pingreq{}, v3: "D0 00", v5: "D0 00", stays: true},
		"PUBACK of nothing":          {packet: &mqtt.Puback{PacketID: 99}, v3: closed, v5: "", stays: true},
		"DISCONNECT":                 {packet: &mqtt.Disconnect{}, v3: closed, v5: "", codes: "CLIENT_INITIATED_DISCONNECT"},
		"DISCONNECT, longer session": {packet: []byte{0xE0, 7, 0, 5, 0x11, 0, 0, 0, 1}, v3: "-", v5: "E0 01 82", codes: "failed mqtt.protocol_error, CLIENT_ERROR"},
	} {
		for _, v := range []mqtt.Version{mqtt.V311, mqtt.V5} {
			want := tt.v3
			if v == mqtt.V5 {
				want = tt.v5
			}
			if want == "-" {
				continue
			}
			t.Run(name+" "+v.String(), func(t *testing.T) {
				inWorld(t, Config{}, func(w *world) {
					if tt.policy != "" {
						w.policy(tt.policy)
					}
					d := w.dial(v).connect("pump-7")
					d.send(tt.packet)
					time.Sleep(time.Second) // a large packet is slowed down
					if got := strings.TrimPrefix(d.raw(), " "); got != want {
						t.Errorf("answer %q, want %q", got, want)
					}
					ends := strings.Contains(tt.codes, "_") && (!tt.stays || v != mqtt.V5) && !strings.HasPrefix(tt.codes, "warned")
					if d.ended() != ends {
						t.Errorf("ended %v, want %v", !ends, ends)
					}
					codes := tt.codes
					if i := strings.LastIndex(codes, ", "); !ends && i >= 0 {
						codes = codes[:i] // no reason for an end that did not come
					}
					got := d.codes()
					if name == "3 packet" || strings.HasPrefix(name, "12 payload") || strings.HasPrefix(name, "3 payload") {
						got = strings.TrimPrefix(strings.TrimPrefix(got, "warned limit.throughput"), ", ")
					}
					if got != codes {
						t.Errorf("recorded %q, want %q", got, codes)
					}
				})
			})
		}
	}
}

// counting counts the explanations of an authorization.
type counting struct {
	Authorization
	explained atomic.Int64
}

func (c *counting) Explain(a policy.Action, name string) policy.Decision {
	c.explained.Add(1)
	return c.Authorization.Explain(a, name)
}

// TestDeniedWithoutEnd: a device that is denied again and again gets its answers, and some dozens of
// full explanations; the others cost little.
func TestDeniedWithoutEnd(t *testing.T) {
	inWorld(t, Config{Limits: OpenLimits}, func(w *world) {
		w.policy(allow("iot:Connect", "client/*"))
		auth := new(counting)
		w.server.cfg.Authorize = func(ctx context.Context, who identity.Principal, clientID string, facts identity.Facts) (Authorization, error) {
			a, err := w.authorize(ctx, who, clientID, facts)
			auth.Authorization = a
			return auth, err
		}
		d := w.dial(mqtt.V5).connect("c")
		const denials = 500
		answers := 0
		for i := range denials {
			d.send(subscribeTo(1, fmt.Sprintf("t/%d", i)))
			if s, ok := d.next().(*mqtt.Suback); ok && s.Codes[0] == mqtt.NotAuthorized {
				answers++
			}
		}
		if n := auth.explained.Load(); answers != denials || n != int64(explainRate.Burst) {
			t.Errorf("%d of %d were answered, %d explained; want %d explained", answers, denials, n, explainRate.Burst)
		}
		time.Sleep(time.Second) // of bent time
		d.send(subscribeTo(1, "after"))
		if n := auth.explained.Load(); n != int64(explainRate.Burst)+1 {
			t.Errorf("%d explained after a rest, want one more", n)
		}
		d.codes() // every text has its evidence
	})
}

// TestServiceNotBuilt: a message that nobody answers is acknowledged as AWS does, and not passed off
// as a success: once for each topic.
func TestServiceNotBuilt(t *testing.T) {
	inWorld(t, Config{}, func(w *world) {
		d := w.dial(mqtt.V311).connect("c")
		for range 3 {
			d.send(publishOf("$aws/things/c/shadow/get", "", 1), publishOf("$aws/things/c/jobs/start-next", "", 1), publishOf("plain", "", 1))
		}
		d.send(subscribeTo(1, "$aws/things/c/#", "plain/#"))
		var got []string
		for _, s := range d.record().Steps {
			if s.Check.Code != "topic.service_not_built" {
				continue
			}
			text := fmt.Sprint(s.Count)
			for _, f := range s.Evidence {
				text += " " + f.Value
			}
			got = append(got, text)
		}
		want := []string{
			"1 $aws/things/c/shadow/get Device Shadow",
			"1 $aws/things/c/jobs/start-next Jobs",
			"1 $aws/things/c/# Device Shadow, Jobs, Device Defender, MQTT-based file delivery, secure tunneling",
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("recorded (-want +got):\n%s", diff)
		}
	})
}

func TestPublishEvidence(t *testing.T) {
	inWorld(t, Config{}, func(w *world) {
		w.policy(allow("iot:Connect", "client/*"), allow("iot:Publish", "topic/dt/other"))
		d := w.dial(mqtt.V5).connect("pump-7")
		for range 3 {
			d.send(publishOf("dt/pump-7", "x", 1))
		}
		for key, want := range map[string]string{
			"action": "iot:Publish", "resource": "arn:aws:iot:us-east-1:123456789012:topic/dt/pump-7",
			"topic": "dt/pump-7", "reply": "PUBACK 0x87", "policy": "p1", "statement": "1",
		} {
			if got := d.evidence("authz.publish", key); got != want {
				t.Errorf("%s is %q, want %q", key, got, want)
			}
		}
		for _, s := range d.record().Steps {
			if s.Check.Code == "authz.publish" && s.Count != 3 {
				t.Errorf("recorded %d times, want one step with count 3", s.Count)
			}
		}
		// A policy change counts from the next packet.
		w.policy(allowAll)
		d.raw()
		if d.send(publishOf("dt/pump-7", "x", 1)); d.raw() != "40 02 00 07" {
			t.Error("still refused after the policy was repaired")
		}
		w.policy(allow("iot:Connect", "client/*"))
		if d.send(publishOf("dt/pump-7", "x", 1)); d.raw() != "40 03 00 07 87" {
			t.Error("still allowed after the policy was taken away")
		}
	})
}

func TestMessageProperties(t *testing.T) {
	inWorld(t, Config{}, func(w *world) {
		v5 := w.dial(mqtt.V5).connect("v5").send(subscribeTo(1, "t/#"))
		v3 := w.dial(mqtt.V311).connect("v3").send(subscribeTo(1, "t/#"))
		v5.raw()
		v3.raw()
		from := w.dial(mqtt.V5).connect("from")
		p := publishOf("t/1", "hello", 1)
		p.Dup = true
		p.Props.SetPayloadFormat(1)
		p.Props.SetMessageExpiry(700_000) // above a week
		p.Props.SetContentType([]byte("text/plain"))
		p.Props.SetResponseTopic([]byte("re/1"))
		p.Props.SetCorrelationData([]byte{1, 2})
		p.Props.AddUser("b", "1")
		p.Props.AddUser("a", "2")
		p.Props.AddUser("b", "3")
		p.Props.SetTopicAlias(3)
		from.send(p)
		if got := from.codes(); got != "warned limit.message_expiry" || from.evidence("limit.message_expiry", "used") != "604800" {
			t.Errorf("recorded %q", got)
		}
		got := v5.next().(*mqtt.Publish)
		want := publishOf("t/1", "hello", 1)
		want.PacketID = got.PacketID
		want.Props = p.Props
		want.Props.Delete(mqtt.PropTopicAlias)
		want.Props.SetMessageExpiry(604_800)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("to MQTT 5 (-want +got):\n%s", diff)
		}
		if got := v3.raw(); got != "32 0C 00 03 74 2F 31 00 01 68 65 6C 6C 6F" {
			t.Errorf("to MQTT 3.1.1: %s", got)
		}
		again := publishOf("", "again", 0)
		again.Props.SetTopicAlias(3)
		from.send(again)
		if diff := cmp.Diff([]string{"t/1 again 0"}, v5.messages()); diff != "" {
			t.Error(diff)
		}
	})
}

func TestPublishRate(t *testing.T) {
	for _, v := range []mqtt.Version{mqtt.V311, mqtt.V5} {
		t.Run(v.String(), func(t *testing.T) {
			inWorld(t, Config{}, func(w *world) {
				d := w.dial(v).connect("a")
				to := w.dial(v).connect("b").send(subscribeTo(0, "t"))
				var list []any
				for range 105 {
					list = append(list, publishOf("t", "x", 0))
				}
				d.send(append(list, publishOf("t", "x", 1))...)
				if n := len(to.messages()); n != 100 {
					t.Errorf("%d messages arrived, want the 100 of a second", n)
				}
				want := "40 03 00 07 97"
				if v == mqtt.V311 {
					want = "" // not acknowledged
				}
				if got := d.raw(); got != want || d.ended() {
					t.Errorf("answer %q, want %q; ended %v", got, want, d.ended())
				}
				if got := d.codes(); got != "warned limit.publish_rate" {
					t.Errorf("recorded %q", got)
				}
				time.Sleep(time.Second)
				if d.send(publishOf("t", "x", 1)); d.raw() != "40 02 00 07" {
					t.Error("refused a second later")
				}
			})
		})
	}
}

func TestThroughput(t *testing.T) {
	inWorld(t, Config{}, func(w *world) {
		d := w.dial(mqtt.V5).connect("a")
		began := time.Now()
		for i := range 16 {
			p := publishOf("t", strings.Repeat("x", 128<<10), 1)
			p.PacketID = uint16(i + 1)
			d.send(p)
		}
		var acks int
		for acks < 16 {
			if time.Since(began) > time.Minute {
				t.Fatalf("%d acknowledgements after a minute", acks)
			}
			for p := d.next(); p != nil; p = d.next() {
				acks++
			}
			time.Sleep(10 * time.Millisecond)
		}
		// 2 MiB at 512 KiB/s with a burst of a second.
		if took := time.Since(began); took < 2500*time.Millisecond || took > 4*time.Second {
			t.Errorf("2 MiB took %v, want about 3 s", took)
		}
		if got := d.codes(); got != "warned limit.throughput" {
			t.Errorf("recorded %q", got)
		}
	})
}

// TestInflight: a client that does not wait for acknowledgements.
func TestInflight(t *testing.T) {
	for _, v := range []mqtt.Version{mqtt.V311, mqtt.V5} {
		t.Run(v.String(), func(t *testing.T) {
			inWorld(t, Config{Limits: OpenLimits}, func(w *world) {
				d := w.dial(v).connect("a")
				var list []any
				for i := range 110 {
					p := publishOf("t", "", 1)
					p.PacketID = uint16(i + 1)
					list = append(list, p)
				}
				// The server waits with a buffer of 512 bytes and a second one of 16 KiB: what
				// fills the first makes it take the rest in one read.
				d.send(append([]any{publishOf("t", strings.Repeat("x", 3000), 0)}, list...)...)
				var acks, code int
				for p := d.next(); p != nil; p = d.next() {
					switch p := p.(type) {
					case *mqtt.Puback:
						acks++
					case *mqtt.Disconnect:
						code = int(p.Reason)
					}
				}
				if v == mqtt.V311 && (acks != 110 || d.ended()) {
					t.Errorf("%d acknowledgements, ended %v", acks, d.ended())
				}
				if v == mqtt.V5 && (code != 0x93 || d.codes() != "failed limit.inflight, CLIENT_ERROR") {
					t.Errorf("DISCONNECT 0x%x, recorded %q", code, d.codes())
				}
			})
		})
	}
}

// TestReceiveSuppressed: PROBLEMS G-05, the fault that nobody sees.
func TestReceiveSuppressed(t *testing.T) {
	inWorld(t, Config{}, func(w *world) {
		w.policy(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["iot:Connect","iot:Publish","iot:Subscribe"],"Resource":"*"},
			{"Effect":"Allow","Action":"iot:Receive","Resource":"arn:aws:iot:us-east-1:123456789012:topic/ok/*"}]}`)
		d := w.dial(mqtt.V311).connect("a").send(subscribeTo(0, "ok/1", "no/1", "no/+"))
		d.raw()
		if got := d.codes(); got != "warned authz.receive_missing" || d.evidence("authz.receive_missing", "topic") != "no/1" {
			t.Errorf("at SUBSCRIBE: recorded %q", got)
		}
		from := w.dial(mqtt.V311).connect("b")
		for range 5 {
			from.send(publishOf("no/1", "x", 0), publishOf("ok/1", "x", 0))
		}
		if got := d.messages(); len(got) != 5 {
			t.Errorf("received %q", got)
		}
		d.hangUp()
		synctest.Wait()
		if got, want := d.codes(), "warned authz.receive_missing, warned authz.receive, warned authz.receive, warned session.connection_lost, CONNECTION_LOST"; got != want {
			t.Errorf("recorded %q, want %q: once at once and once with the number", got, want)
		}
		var counted string
		for _, s := range d.record().Steps {
			for _, f := range s.Evidence {
				if f.Key == "dropped" {
					counted = f.Value
				}
			}
		}
		if counted != "5" {
			t.Errorf("counted %q, want 5", counted)
		}
	})
}

func TestAllocs(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector makes pools forget")
	}
	inWorld(t, Config{Limits: OpenLimits}, func(w *world) {
		w.dial(mqtt.V311).connect("a").send(publishOf("t/1", "x", 0))
		var k *conn
		w.server.mu.Lock()
		for c := range w.server.conns {
			k = c
		}
		w.server.mu.Unlock()
		p, _ := publishOf("t/1", strings.Repeat("x", 256), 0).Append(nil, mqtt.V311)
		header, body, _, err := mqtt.NextPacket(p, 0)
		if err != nil {
			t.Fatal(err)
		}
		if n := testing.AllocsPerRun(100, func() {
			k.begin()
			if e := k.handle(header, body); e != nil {
				t.Fatal(fmt.Sprint(e))
			}
			k.idle()
		}); n >= 1 {
			t.Errorf("%v allocations for a QoS 0 publish, want 0", n)
		}
	})
}
