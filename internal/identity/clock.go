package identity

import (
	"hash/maphash"
	"sync"
	"sync/atomic"

	"github.com/gatehouse-iot/gatehouse/internal/registry"
)

// slots is how many counters a clock has. Two inputs that share one cost a
// needless look, never a wrong answer.
const slots = 8192

// A clock counts the registry's changes, by what they are about, so that an
// answer knows whether its inputs have changed without being registered
// anywhere: 100,000 idle connections cost nothing when a policy changes.
type clock struct {
	seed maphash.Seed
	now  atomic.Uint64 // changes so far; never 0

	mu    sync.RWMutex // guards what follows, and keeps now in step with it
	count [slots]uint64
}

func newClock() *clock {
	c := &clock{seed: maphash.MakeSeed()}
	c.now.Store(1)
	return c
}

// An input is one resource that answers depend on, such as policy "p".
type input struct{ kind, name string }

// Kinds of input.
const (
	inputCertificate = "cert"
	inputPolicy      = "policy"
	inputThing       = "thing"
	inputGroup       = "group"
	inputType        = "type"
	inputTarget      = "target" // a principal other than a certificate
	inputUser        = "user"
	inputAuthorizer  = "authorizer" // "" is which one is the default
)

// slot returns the counter of an input.
func (c *clock) slot(in input) uint16 {
	return uint16(maphash.Comparable(c.seed, in) % slots)
}

// advance counts a change of every one of inputs.
func (c *clock) advance(inputs ...input) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, in := range inputs {
		c.count[c.slot(in)]++
	}
	c.now.Add(1)
}

// read returns the sum of counters and the time at which it holds. Counters
// only grow, so an equal sum means that none of them changed.
func (c *clock) read(of []uint16) (sum, now uint64) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	for _, slot := range of {
		sum += c.count[slot]
	}
	return sum, c.now.Load()
}

// inputsOf returns what a change of the registry is about.
func inputsOf(ch registry.Change) []input {
	var list []input
	add := func(kind, name string) {
		if name != "" {
			list = append(list, input{kind, name})
		}
	}
	add(inputCertificate, ch.CertificateID)
	add(inputThing, ch.ThingName)
	add(inputType, ch.TypeName)
	add(inputGroup, ch.GroupName)
	add(inputUser, ch.UserID)
	switch ch.Kind {
	case registry.AuthorizerChanged: // perhaps the default one, or which one that is
		list = append(list, input{inputAuthorizer, ch.AuthorizerName}, input{inputAuthorizer, ""})
	case registry.AttachmentChanged:
		// What is attached to a target matters to that target, not to
		// everyone who has the policy.
		if ch.CertificateID == "" && ch.GroupName == "" {
			add(inputTarget, ch.Target)
		}
	case registry.ThingPrincipalChanged:
		if ch.CertificateID == "" {
			add(inputTarget, ch.Target)
		}
	default:
		add(inputPolicy, ch.PolicyName)
	}
	return list
}
