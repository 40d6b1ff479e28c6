package mqttconn

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-iot/gatehouse/internal/observe"
	"github.com/gatehouse-iot/gatehouse/mqtt"
)

// passages is a log that keeps what happened to each client, in order.
type passages struct {
	mu   sync.Mutex
	seen map[string][]string
}

func (l *passages) Wants(observe.Source, observe.Kind, observe.Outcome) bool { return true }

func (l *passages) Log(by observe.Source, e *observe.Event) {
	l.add(by, fmt.Sprint(e.Kind, e.Outcome, " ", e.Topic))
}

func (l *passages) Passed(by observe.Source, p observe.Passage) {
	for range p.Times {
		l.add(by, fmt.Sprint(p.Kind, p.Outcome, " ", p.Topic))
	}
}

func (l *passages) add(by observe.Source, what string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	id := by.Who().ClientID
	l.seen[id] = append(l.seen[id], what)
}

// TestToldInRuns: of messages that come together it is told each, in their order, before what comes
// after them, and with no other count than if they came alone.
func TestToldInRuns(t *testing.T) {
	log := &passages{seen: map[string][]string{}}
	hub := observe.New(log)
	inWorld(t, Config{Limits: OpenLimits, Observe: hub}, func(w *world) {
		receiver := w.dial(mqtt.V311)
		receiver.connect("receiver")
		receiver.send(subscribeTo(1, "#"))
		d := w.dial(mqtt.V311)
		d.connect("d")
		synctest.Wait()
		log.mu.Lock()
		log.seen = map[string][]string{}
		log.mu.Unlock()
		d.send(publishOf("a", "x", 0), publishOf("a", "x", 0), publishOf("b", "x", 0), publishOf("a", "x", 0), publishOf("b", "x", 1),
			subscribeTo(0, "c/#"), publishOf("a", "x", 0), &mqtt.Disconnect{})
		synctest.Wait()
		want := map[string][]string{}
		for topic := range strings.SplitSeq("a a b a b a", " ") {
			want["receiver"] = append(want["receiver"], fmt.Sprint(observe.PublishOut, observe.Success, " ", topic))
		}
		for topic := range strings.SplitSeq("a a b a b", " ") {
			want["d"] = append(want["d"], fmt.Sprint(observe.PublishIn, observe.Success, " ", topic))
		}
		want["d"] = append(want["d"], fmt.Sprint(observe.Subscribe, observe.Success, " c/#"), fmt.Sprint(observe.PublishIn, observe.Success, " a"), fmt.Sprint(observe.Disconnect, observe.Success, " "))
		if diff := cmp.Diff(want, log.seen); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		for kind, want := range map[observe.Kind]uint64{observe.PublishIn: 6, observe.PublishOut: 6} {
			if got := hub.Count(observe.MQTT, kind, observe.Success); got != want {
				t.Errorf("kind %d counted %d times, want %d", kind, got, want)
			}
		}
	})
}
