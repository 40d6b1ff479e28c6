package mqttconn

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-iot/gatehouse/internal/attempt"
	"github.com/gatehouse-iot/gatehouse/internal/broker/gcra"
	"github.com/gatehouse-iot/gatehouse/internal/check"
	"github.com/gatehouse-iot/gatehouse/internal/identity"
	"github.com/gatehouse-iot/gatehouse/mqtt"
	"github.com/gatehouse-iot/gatehouse/policy"
)

// wantEvidence compares fields of the first step of c.
func (d *device) wantEvidence(c *check.Check, want map[string]string) {
	d.w.t.Helper()
	for key, value := range want {
		if got := d.evidence(c.Code, key); got != value {
			d.w.t.Errorf("evidence %s of %s is %q, want %q", key, c, got, value)
		}
	}
}

// TestAccountRates: the limits that all connections share. Source: mqtt sheet 19.
func TestAccountRates(t *testing.T) {
	const two = "2 a second"
	limits := func(change func(*Limits)) Config {
		l := OpenLimits
		change(&l)
		return Config{Limits: l}
	}
	t.Run("connect", func(t *testing.T) {
		inWorld(t, limits(func(l *Limits) { l.ConnectAccount = gcra.PerSecond(2) }), func(w *world) {
			w.dial(mqtt.V5).connect("a")
			w.dial(mqtt.V311).connect("b")
			d := w.dial(mqtt.V5)
			d.send(&mqtt.Connect{Version: mqtt.V5, CleanStart: true, ClientID: []byte("c")})
			if a, ok := d.next().(*mqtt.Connack); !ok || a.Reason != mqtt.QuotaExceeded || !d.ended() {
				t.Errorf("answer %+v, want CONNACK 0x97 and the end", a)
			}
			if got := d.codes(); !strings.Contains(got, "failed limit.connect_rate.account") {
				t.Errorf("recorded %q", got)
			}
			d.wantEvidence(check.LimitConnectRateAccount, map[string]string{"required": two})
			time.Sleep(time.Second)
			w.dial(mqtt.V5).connect("c") // the rate recovers
		})
	})
	t.Run("subscribe", func(t *testing.T) {
		for _, v := range []mqtt.Version{mqtt.V311, mqtt.V5} {
			inWorld(t, limits(func(l *Limits) { l.SubscribeAccount = gcra.PerSecond(2) }), func(w *world) {
				a, d := w.dial(v).connect("a"), w.dial(v).connect("b")
				a.send(subscribeTo(0, "a"), subscribeTo(0, "b"))
				d.send(subscribeTo(0, "c"))
				code := mqtt.QuotaExceeded
				if v == mqtt.V311 {
					code = mqtt.UnspecifiedError
				}
				if s, ok := d.next().(*mqtt.Suback); !ok || len(s.Codes) != 1 || s.Codes[0] != code || d.ended() {
					t.Errorf("%v: answer %+v, want SUBACK %#x, and the connection stays", v, s, code)
				}
				d.wantEvidence(check.LimitSubscribeRateAccount, map[string]string{"filter": "c", "required": two})
			})
		}
	})
	t.Run("publish", func(t *testing.T) {
		inWorld(t, limits(func(l *Limits) { l.PublishAccount = gcra.PerSecond(2) }), func(w *world) {
			all := w.dial(mqtt.V5).connect("all")
			all.send(subscribeTo(0, "t"))
			a, d := w.dial(mqtt.V311).connect("a"), w.dial(mqtt.V5).connect("b")
			a.send(publishOf("t", "1", 0), publishOf("t", "2", 0))
			d.send(publishOf("t", "3", 1))
			if p, ok := d.next().(*mqtt.Puback); !ok || p.Reason != mqtt.QuotaExceeded || d.ended() {
				t.Errorf("answer %+v, want PUBACK 0x97, and the connection stays", p)
			}
			if diff := cmp.Diff([]string{"t 1 0", "t 2 0"}, all.messages()); diff != "" {
				t.Errorf("delivered (-want +got):\n%s", diff)
			}
			if got := d.codes(); got != "warned limit.publish_rate.account" {
				t.Errorf("recorded %q", got)
			}
			d.wantEvidence(check.LimitPublishRateAccount, map[string]string{"topic": "t"})
		})
	})
}

// TestNotAcked: a device that never acknowledges is told so after an hour.
// Source: mqtt sheet 7.
func TestNotAcked(t *testing.T) {
	inWorld(t, Config{}, func(w *world) {
		d := w.dial(mqtt.V311).connect("deaf", func(p *mqtt.Connect) { p.KeepAlive = 1200 })
		d.send(subscribeTo(1, "t"))
		w.dial(mqtt.V311).connect("other").send(publishOf("t", "x", 1), &mqtt.Disconnect{})
		if got := d.messages(); len(got) != 1 {
			t.Fatalf("delivered %v", got)
		}
		for range 5 {
			time.Sleep(15 * time.Minute)
			d.send(&mqtt.Pingreq{})
		}
		if got := d.codes(); got != "warned delivery.not_acked" {
			t.Errorf("recorded %q", got)
		}
		d.wantEvidence(check.DeliveryNotAcked, map[string]string{"waited": "1h0m0s"})
	})
}

// TestReceiveBuffer is PROBLEMS H-16: the device takes small messages, and never
// the large one.
func TestReceiveBuffer(t *testing.T) {
	inWorld(t, Config{}, func(w *world) {
		d := w.dial(mqtt.V311).connect("small")
		d.send(subscribeTo(1, "config"))
		other := w.dial(mqtt.V311).connect("other")
		for _, payload := range []string{"a", strings.Repeat("x", 600), "b"} {
			other.send(publishOf("config", payload, 1))
			time.Sleep(11 * time.Second)
			for p := d.next(); p != nil; p = d.next() {
				if m, ok := p.(*mqtt.Publish); ok && len(m.Payload) < 512 {
					d.send(&mqtt.Puback{PacketID: m.PacketID})
				}
			}
		}
		if got := d.codes(); got != "warned client.rx_buffer" {
			t.Errorf("recorded %q", got)
		}
		d.wantEvidence(check.ClientRxBuffer, map[string]string{"topic": "config", "offered": "613"})
	})
}

// TestSlowReader: what a device does not read is dropped once too much waits, and
// the number is told at the end.
func TestSlowReader(t *testing.T) {
	inWorld(t, Config{Limits: OpenLimits}, func(w *world) {
		d := w.dial(mqtt.V311)
		d.connect("slow")
		d.send(subscribeTo(0, "t"))
		resume := d.stall()
		other := w.dial(mqtt.V311).connect("other")
		payload := strings.Repeat("x", 100<<10)
		for range 200 { // 20 MB, of which 16 MiB may wait
			other.send(publishOf("t", payload, 0))
		}
		d.hangUp()
		resume()
		synctest.Wait()
		d.wantEvidence(check.DeliveryQueueFull, map[string]string{"topic": "t"})
		dropped := ""
		for _, s := range d.record().Steps {
			if s.Check == check.DeliveryQueueFull && s.Outcome == attempt.Warned {
				if n := s.Evidence.Get("dropped"); n != "" {
					dropped = n
				}
			}
		}
		if n := 0; dropped == "" {
			t.Errorf("recorded %s, without the number of drops", d.codes())
		} else if _, err := fmt.Sscan(dropped, &n); err != nil || n < 20 || n > 60 {
			t.Errorf("%s dropped of 200 messages of 100 KiB, of which 16 MiB may wait", dropped)
		}
	})
}

// TestUserNameIgnored: with a certificate nobody looks at user name and password,
// and they never reach the record.
func TestUserNameIgnored(t *testing.T) {
	for name, tt := range map[string]struct {
		user, password string
		want           string
	}{
		"credentials":       {"admin", "hunter2", "warned mqtt.user_name_ignored"},
		"user name":         {"admin", "", "warned mqtt.user_name_ignored"},
		"the SDK's name":    {"?SDK=PythonDevice&Version=1.2", "", ""},
		"nothing of either": {"", "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, Config{}, func(w *world) {
				d := w.dial(mqtt.V311).connect("dev", func(p *mqtt.Connect) {
					p.UserName, p.HasUserName = []byte(tt.user), tt.user != ""
					p.Password, p.HasPassword = []byte(tt.password), tt.password != ""
				})
				if got := d.codes(); got != tt.want {
					t.Errorf("recorded %q, want %q", got, tt.want)
				}
				if text := fmt.Sprint(d.record()); tt.password != "" && strings.Contains(text, tt.password) {
					t.Error("the record holds the password")
				}
			})
		})
	}
}

// TestAssignedClientID: what the record calls the device is what the device was told.
func TestAssignedClientID(t *testing.T) {
	inWorld(t, Config{}, func(w *world) {
		d := w.dial(mqtt.V5)
		d.send(&mqtt.Connect{Version: mqtt.V5, CleanStart: true})
		a, ok := d.next().(*mqtt.Connack)
		if !ok || len(a.Props.AssignedClientID) != 36 {
			t.Fatalf("answer %+v, want CONNACK with an assigned client ID", a)
		}
		d.wantEvidence(check.MQTTClientID, map[string]string{"offered": "", "assigned": string(a.Props.AssignedClientID)})
		if got := d.record().ClientID; got != string(a.Props.AssignedClientID) {
			t.Errorf("the record is of client %q", got)
		}
		named := w.dial(mqtt.V5).connect("dev")
		named.wantEvidence(check.MQTTClientID, map[string]string{"offered": "dev", "assigned": ""})
	})
}

// TestOpenedAndClosed: an attempt that ends well says when its session began, and
// that it was the device that ended it.
func TestOpenedAndClosed(t *testing.T) {
	for _, v := range []mqtt.Version{mqtt.V311, mqtt.V5} {
		inWorld(t, Config{}, func(w *world) {
			d := w.dial(v).connect("dev")
			d.send(&mqtt.Disconnect{})
			var passed []string
			for _, s := range d.record().Steps {
				if s.Outcome == attempt.Passed {
					passed = append(passed, s.Check.Code)
				}
			}
			want := []string{"mqtt.connect", "mqtt.client_id", "authz.connect", "session.opened", "session.closed"}
			if diff := cmp.Diff(want, passed); diff != "" {
				t.Errorf("%v: passed (-want +got):\n%s", v, diff)
			}
			d.wantEvidence(check.SessionOpened, map[string]string{"keep_alive": "60"})
			if rec := d.record(); rec.Outcome != attempt.Passed || !d.ended() {
				t.Errorf("%v: outcome %s, ended %v", v, rec.Outcome, d.ended())
			}
		})
	}
}

// unreadable is an authorization whose policies can't be read any more.
type unreadable struct{ Authorization }

func (u unreadable) Decide(a policy.Action, name string) policy.Effect {
	if a == policy.Connect {
		return u.Authorization.Decide(a, name)
	}
	return policy.ImplicitDeny
}

func (u unreadable) Explain(a policy.Action, name string) policy.Decision {
	return policy.Decision{Action: a, Code: identity.CodeUnavailable, Reason: "The policies could not be read: disk I/O error"}
}

// TestPoliciesUnavailable: broken machinery denies, and is not called a policy's fault.
func TestPoliciesUnavailable(t *testing.T) {
	inWorld(t, Config{}, func(w *world) {
		authorize := w.server.cfg.Authorize
		w.server.cfg.Authorize = func(ctx context.Context, who identity.Principal, clientID string, facts identity.Facts) (Authorization, error) {
			a, err := authorize(ctx, who, clientID, facts)
			return unreadable{a}, err
		}
		d := w.dial(mqtt.V5).connect("dev")
		d.send(publishOf("t", "x", 1))
		if p, ok := d.next().(*mqtt.Puback); !ok || p.Reason != mqtt.NotAuthorized {
			t.Errorf("answer %+v, want PUBACK 0x87", p)
		}
		if got := d.codes(); got != "failed authz.policies_unavailable" {
			t.Errorf("recorded %q", got)
		}
		d.wantEvidence(check.AuthzPoliciesUnavailable, map[string]string{"reason": "The policies could not be read: disk I/O error", "topic": "t"})
	})
}

// hinted is an authorization that knows what explains a denial.
type hinted struct {
	Authorization
	hint identity.Hint
	err  error
}

func (h hinted) Hint(context.Context, *policy.Decision, string) (identity.Hint, error) {
	return h.hint, h.err
}

// TestHints: what stands in no policy and explains a denial is recorded beside it.
func TestHints(t *testing.T) {
	const elsewhere = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"iot:Connect","Resource":"*"},
		{"Effect":"Allow","Action":"iot:Publish","Resource":"arn:aws:iot:us-east-1:123456789012:topic/elsewhere"}]}`
	for name, tt := range map[string]struct {
		hint     identity.Hint
		err      error
		want     string
		check    *check.Check
		evidence map[string]string
	}{
		"another version": {
			hint: identity.Hint{Policy: "p0", Version: "3"}, want: "failed authz.publish, also policy.not_default_version",
			check: check.PolicyNotDefaultVersion, evidence: map[string]string{"policy": "p0", "version": "3", "action": "iot:Publish"},
		},
		"a change of a moment ago": {
			hint: identity.Hint{RecentPolicy: "p0", Changed: 42 * time.Second}, want: "warned policy.recent_change, failed authz.publish",
			check: check.PolicyRecentChange, evidence: map[string]string{"policy": "p0", "changed": "42s"},
		},
		"nobody can tell": {err: errors.New("disk I/O error"), want: "failed authz.publish"},
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, Config{}, func(w *world) {
				w.policy(elsewhere)
				authorize := w.server.cfg.Authorize
				w.server.cfg.Authorize = func(ctx context.Context, who identity.Principal, clientID string, facts identity.Facts) (Authorization, error) {
					a, err := authorize(ctx, who, clientID, facts)
					return hinted{a, tt.hint, tt.err}, err
				}
				d := w.dial(mqtt.V5).connect("dev")
				d.send(publishOf("t", "x", 1))
				if got := d.codes(); got != tt.want {
					t.Errorf("recorded %q, want %q", got, tt.want)
				}
				if tt.check != nil {
					d.wantEvidence(tt.check, tt.evidence)
				}
			})
		})
	}
}

// TestShareForm: a grant on the plain filter does not cover a shared subscription.
func TestShareForm(t *testing.T) {
	inWorld(t, Config{}, func(w *world) {
		w.policy(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["iot:Connect","iot:Receive"],"Resource":"*"},
			{"Effect":"Allow","Action":"iot:Subscribe","Resource":"arn:aws:iot:us-east-1:123456789012:topicfilter/jobs/*"}]}`)
		d := w.dial(mqtt.V5).connect("dev")
		d.send(subscribeTo(0, "jobs/a", "$share/workers/jobs/a"))
		if got := d.codes(); got != "failed authz.subscribe, also policy.share_form" {
			t.Errorf("recorded %q", got)
		}
		d.wantEvidence(check.PolicyShareForm, map[string]string{
			"filter": "$share/workers/jobs/a", "pattern": "arn:aws:iot:us-east-1:123456789012:topicfilter/jobs/*",
			"resource": "arn:aws:iot:us-east-1:123456789012:topicfilter/$share/workers/jobs/a",
		})
	})
}

// TestDoubtfulDeny: a subscription is granted and delivers what a Deny means to
// keep private, or a Deny is passed over: the device works, its owner is told.
func TestDoubtfulDeny(t *testing.T) {
	const all = `{"Effect":"Allow","Action":"iot:*","Resource":"*"}`
	for name, tt := range map[string]struct {
		deny   string
		filter string
		want   string
	}{
		"hole":     {"topicfilter/secret/*", "#", "warned policy.subscribe_deny_hole"},
		"skipped":  {"topicfilter/${iot:Connection.Thing.ThingName}/*", "a/#", "warned policy.deny_skipped_unresolved"},
		"no doubt": {"topicfilter/secret/*", "public/#", ""},
		"no star":  {"topicfilter/secret/*", "public", ""},
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, Config{}, func(w *world) {
				w.policy(`{"Version":"2012-10-17","Statement":[` + all + `,{"Effect":"Deny","Action":"iot:Subscribe","Resource":"arn:aws:iot:us-east-1:123456789012:` + tt.deny + `"}]}`)
				d := w.dial(mqtt.V5).connect("dev")
				d.send(subscribeTo(0, tt.filter))
				if got := d.codes(); got != tt.want {
					t.Errorf("recorded %q, want %q", got, tt.want)
				}
			})
		})
	}
}
