package mqttconn

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-iot/gatehouse/internal/check"
	"github.com/gatehouse-iot/gatehouse/internal/observe"
	"github.com/gatehouse-iot/gatehouse/mqtt"
)

// eventLog is a log that wants one kind of event.
type eventLog struct {
	kind    observe.Kind
	mu      sync.Mutex
	entries []string
}

func (l *eventLog) Wants(_ observe.Source, kind observe.Kind, _ observe.Outcome) bool {
	return kind == l.kind
}

func (l *eventLog) Log(by observe.Source, e *observe.Event) {
	l.mu.Lock()
	defer l.mu.Unlock()
	w := by.Who()
	l.entries = append(l.entries, fmt.Sprintf("%s %s %s %v %s trace=%v", w.ClientID, e.Rule, e.Topic, e.Check, e.Reason, w.TraceID != ""))
}

func (l *eventLog) Passed(observe.Source, observe.Passage) {}

// TestRuleNotFound: a message by Basic Ingest finds no rule, which is told for each, and counted by
// the name; the device sees nothing of it. So does a will, also a delayed one. Source: mqtt sheet 16.
func TestRuleNotFound(t *testing.T) {
	log := &eventLog{kind: observe.RuleNotFound}
	hub := observe.New(log)
	inWorld(t, Config{Limits: OpenLimits, Observe: hub}, func(w *world) {
		d := w.dial(mqtt.V5)
		d.connect("c")
		for _, topic := range []string{"$aws/rules/Archve", "$aws/rules/Archve/boiler/12", "$aws/rules/no-rule/x", "boiler/12", "$aws/things/c/shadow/get"} {
			d.send(publishOf(topic, "x", 1))
			synctest.Wait()
		}
		w.policy(strings.Replace(allowAll, "iot:*", "iot:Connect", 1))
		d.send(publishOf("$aws/rules/Denied", "x", 1))
		synctest.Wait()
		w.policy(allowAll)
		for id, delay := range map[string]uint32{"now": 0, "late": 5} {
			d := w.dial(mqtt.V5)
			d.connectWith(id, expiry(60), func(p *mqtt.Connect) {
				p.Will = &mqtt.Will{Topic: []byte("$aws/rules/Wills/" + id), Payload: []byte("x")}
				p.Will.Props.SetWillDelay(delay)
			})
			d.hangUp()
			synctest.Wait()
			time.Sleep(6 * time.Second)
			synctest.Wait()
		}
	})
	code := check.TopicServiceNotBuilt.String()
	want := map[string]bool{
		"c Archve $aws/rules/Archve " + code + "  trace=true":           true,
		"c Archve $aws/rules/Archve/boiler/12 " + code + "  trace=true": true,
		"c no-rule $aws/rules/no-rule/x " + code + "  trace=true":       true,
		"now Wills $aws/rules/Wills/now " + code + "  trace=true":       true,
		"late Wills $aws/rules/Wills/late " + code + "  trace=true":     true,
	}
	got := map[string]bool{}
	for _, e := range log.entries {
		got[e] = true
	}
	if diff := cmp.Diff(want, got); diff != "" || len(log.entries) != len(want) {
		t.Errorf("%d entries (-want +got):\n%s", len(log.entries), diff)
	}
	if diff := cmp.Diff(map[string]uint64{"Archve": 2, "other": 1, "Wills": 2}, hub.RulesMissed()); diff != "" {
		t.Errorf("counted (-want +got):\n%s", diff)
	}
	if n := hub.Count(observe.MQTT, observe.RuleNotFound, observe.ClientError); n != 5 {
		t.Errorf("%d counted, want 5", n)
	}
}
