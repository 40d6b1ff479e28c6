package mqttconn

import (
	"context"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/gatehouse-iot/gatehouse/internal/attempt"
	"github.com/gatehouse-iot/gatehouse/internal/broker/gcra"
	"github.com/gatehouse-iot/gatehouse/internal/check"
	"github.com/gatehouse-iot/gatehouse/internal/identity"
	"github.com/gatehouse-iot/gatehouse/policy"
)

// explainRate is how often the denials of one connection are explained.
var explainRate = gcra.Rate{Every: 100 * time.Millisecond, Burst: 64}

// denied explains why the policies do not allow action on name. The code of the decision names the
// check if refine is set; else it is the detector of c.
//
// An explanation costs hundreds of decisions, and an attempt keeps some dozens of them: a device that
// is denied without end is told so by less.
func (k *conn) denied(c *check.Check, action policy.Action, name string, refine bool) fault {
	if !k.explained.Allow(explainRate, k.server.cfg.Now(), 1) {
		return fault{check: c, evidence: attempt.OfDecision(action, name, &policy.Decision{Reason: "Earlier denials of this connection are explained in full."})}
	}
	d := k.auth.Explain(action, name)
	if precise, ok := check.Lookup(d.Code); ok && refine {
		c = precise
	}
	if k.who.Kind == identity.KindAuthorizer && c == check.PolicyNoneAttached {
		c = check.AuthorizerPolicy // nothing is attached to such a principal
	}
	if k.who.Kind == identity.KindUser && c == check.PolicyVarUndefined && strings.Contains(d.Reason, "iot:Connection.Thing.") {
		c = check.PolicyVarNotInIAM
	}
	f := fault{check: c, evidence: attempt.OfDecision(action, name, &d), source: k.deniedBySource(&d)}
	near := ""
	if len(d.Near) > 0 {
		near = d.Near[0].Code
	}
	h := k.hint(&d, name)
	if h.Version != "" {
		near = check.PolicyNotDefaultVersion.Code
		f.evidence = slices.DeleteFunc(f.evidence, func(e attempt.Field) bool { return e.Key == "policy" || e.Key == "version" })
		f.evidence = append(f.evidence, attempt.F("policy", h.Policy), attempt.F("version", h.Version))
	}
	if h.RecentPolicy != "" {
		k.at.Warn(check.PolicyRecentChange, attempt.F("policy", h.RecentPolicy), attempt.F("changed", h.Changed.Round(time.Second).String()))
	}
	if h.Predecessor != "" {
		f.evidence = append(f.evidence, attempt.F("predecessor", h.Predecessor), attempt.F("predecessor_policies", h.PredecessorPolicy))
	}
	if d.Code == policy.CodeVarUndefined {
		if thing := k.attachedThing(); thing != "" {
			f.evidence = append(f.evidence, attempt.F("attached_thing", thing))
		}
	}
	if p := k.policies(); p != "" {
		f.evidence = append(f.evidence, attempt.F("policies", p))
	}
	if n, ok := check.Lookup(near); ok && slices.Contains(c.HiddenBy, n) {
		f.near = n
	}
	return f
}

// deniedBySource tells whether what decided is a Deny on the address that the connection comes from.
// Source: mqtt sheet 13, FORBIDDEN_ACCESS.
func (k *conn) deniedBySource(d *policy.Decision) bool {
	p, ok := k.auth.(interface{ Policies() []policy.Named })
	if !ok || d.Effect != policy.ExplicitDeny || len(d.Matched) == 0 {
		return false
	}
	by := d.Matched[0]
	for _, n := range p.Policies() {
		if n.Name != by.Policy || n.Source != by.Source || by.Index >= len(n.Doc.Statements) {
			continue
		}
		for _, c := range n.Doc.Statements[by.Index].Conditions {
			switch strings.ToLower(c.Key) {
			case "aws:sourceip", "aws:vpcsourceip", "aws:sourcevpc", "aws:sourcevpce":
				return true
			}
		}
	}
	return false
}

// endedBy is the disconnectReason of a connection that a fault ends for reason.
func (f fault) endedBy(reason disconnectReason) disconnectReason {
	if f.source && reason == authError {
		return forbidden
	}
	return reason
}

// refuse records a fault as what refused the packet.
func (k *conn) refuse(f fault, more ...attempt.Field) {
	k.at.Fail(f.check, append(slices.Clip(f.evidence), more...)...)
	k.alsoNear(f)
}

// alsoNear records what explains a denial better than the denial itself.
func (k *conn) alsoNear(f fault) {
	if f.near != nil {
		k.at.Also(f.near, f.evidence...)
	}
}

// hintTime bounds how long a refused packet waits for its explanation.
const hintTime = 2 * time.Second

// hint asks for what explains a denial and stands in no policy. A flood of denials gets few hints:
// they cost many times a decision.
func (k *conn) hint(d *policy.Decision, name string) identity.Hint {
	h, ok := k.auth.(interface {
		Hint(ctx context.Context, d *policy.Decision, name string) (identity.Hint, error)
	})
	if !ok {
		return identity.Hint{}
	}
	select {
	case k.server.hints <- struct{}{}:
	default:
		return identity.Hint{}
	}
	defer func() { <-k.server.hints }()
	ctx, cancel := context.WithTimeout(context.Background(), hintTime)
	defer cancel()
	hint, err := h.Hint(ctx, d, name)
	if err != nil {
		k.server.cfg.Log.LogAttrs(ctx, slog.LevelWarn, "cannot look for what explains a denial", slog.String("attempt", k.at.ID()), slog.Any("error", err))
	}
	return hint
}

// maxNamed bounds how many policies a record names; AWS attaches at most 10 to a target.
const maxNamed = 20

// policies names the policies that were evaluated, with their versions.
func (k *conn) policies() string {
	p, ok := k.auth.(interface{ Policies() []policy.Named })
	if !ok {
		return ""
	}
	var b strings.Builder
	for i, n := range p.Policies() {
		if i == maxNamed {
			b.WriteString(", ...")
			break
		}
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(n.Name)
		if n.Version != "" { // what an authorizer returned has none
			b.WriteString(" (version " + n.Version + ")")
		}
	}
	return b.String()
}

// attachedThing names the thing of the certificate under whose name the device does not connect.
func (k *conn) attachedThing() string {
	a, ok := k.auth.(interface {
		AttachedThing(ctx context.Context) (string, error)
	})
	if !ok {
		return ""
	}
	ctx, cancel := context.WithTimeout(context.Background(), hintTime)
	defer cancel()
	thing, err := a.AttachedThing(ctx)
	if err != nil {
		k.server.cfg.Log.LogAttrs(ctx, slog.LevelWarn, "cannot look for the thing of a certificate", slog.String("attempt", k.at.ID()), slog.Any("error", err))
	}
	return thing
}
