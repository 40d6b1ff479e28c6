package gateway

import (
	"context"
	"log/slog"
	"time"

	"github.com/gatehouse-iot/gatehouse/internal/attempt"
	"github.com/gatehouse-iot/gatehouse/internal/check"
	"github.com/gatehouse-iot/gatehouse/internal/registry"
)

// Bounds of what is asked after a refusal. Nobody waits for the answer, yet a
// flood of refused devices must not pile it up: what finds no place is left out.
const (
	inspectTime = 2 * time.Second
	maxInspects = 4
)

// beginInspect takes one of the places for inspections.
func (s *Server) beginInspect(sig conduct) (ctx context.Context, done func(), ok bool) {
	select {
	case s.inspects <- struct{}{}:
	default:
		return nil, nil, false
	}
	ctx, cancel := context.WithTimeout(sig.stop, inspectTime)
	return ctx, func() { cancel(); <-s.inspects }, true
}

// inspect looks for what else is wrong after a certificate was refused, and for
// what explains it: a device often has several faults, and its owner wants all
// of them at once. The device has its answer by now.
func (s *Server) inspect(sig conduct, h *handshake, clientID string) {
	switch {
	case len(h.refused) == 0:
	case h.known != nil:
		s.inspectClient(sig, h.at, h.known.ID, clientID)
	default:
		s.inspectUnknown(sig, h)
	}
}

// inspectUnknown looks for relatives of a certificate that is not registered.
// Source: PROBLEMS D-17, D-22, D-23.
func (s *Server) inspectUnknown(sig conduct, h *handshake) {
	ctx, done, ok := s.beginInspect(sig)
	if !ok {
		return
	}
	defer done()
	rel, err := s.cfg.Identity.Relatives(ctx, h.leaf, h.fingerprint)
	if err != nil {
		s.inspectFailed(ctx, h.at, err)
		return
	}
	at := h.at
	if rel.Deleted.Status == registry.StatusDeleted {
		at.Set("deleted_at", rel.Deleted.At.UTC().Format(time.RFC3339))
	}
	if rel.IsCA != nil {
		at.Also(check.CertRegisteredCAPresented, attempt.F("subject", clipText(h.leaf.Subject.String())))
	}
	if ca := rel.Signer; ca != nil {
		id, issuer := attempt.F("ca_certificate_id", ca.ID), attempt.F("issuer", clipText(h.leaf.Issuer.String()))
		switch {
		case !ca.Active:
			at.Warn(check.CertRegisteredCAInactive, id, issuer)
		case ca.AutoRegistration && h.chain < 2:
			at.Warn(check.CertRegisteredCANotInChain, id, issuer)
		default:
			at.Warn(check.CertRegisteredCA, id, issuer)
		}
	}
	if rel.Twin != nil {
		// Facts of the attempt, which the words for cert.not_registered use.
		at.Set("twin", rel.Twin.ID)
		if len(rel.TwinPolicies) > 0 {
			at.Set("twin_policies", rel.TwinPolicies[0])
			at.Set("principal_arn", s.cfg.Identity.CertificateARN(h.fingerprint.String()))
		}
	}
}

// inspectClient adds that no policy is attached, where the connection's
// certificate is known, or can be guessed by the thing that is named like the
// client ID. Source: PROBLEMS C-10.
func (s *Server) inspectClient(sig conduct, at *attempt.Attempt, certificateID, clientID string) {
	if certificateID == "" && clientID == "" {
		return
	}
	ctx, done, ok := s.beginInspect(sig)
	if !ok {
		return
	}
	defer done()
	certificates := []string{certificateID}
	if certificateID != "" {
		// So that the refusal is found by the name of the thing.
		if things, err := s.cfg.Identity.ThingsOfCertificate(ctx, certificateID); err == nil && len(things) == 1 {
			at.SetThing(things[0])
		}
	} else {
		var err error
		if certificates, err = s.cfg.Identity.CertificatesOfThing(ctx, clientID); err != nil {
			s.inspectFailed(ctx, at, err)
			return
		}
	}
	for _, id := range certificates {
		attached, err := s.cfg.Identity.HasPolicies(ctx, id, clientID)
		if err != nil {
			s.inspectFailed(ctx, at, err)
			return
		}
		if attached {
			continue
		}
		evidence := []attempt.Field{attempt.F("principal", id), attempt.F("principal_arn", s.cfg.Identity.CertificateARN(id))}
		hint, err := s.cfg.Identity.Predecessor(ctx, id, clientID)
		if err != nil {
			s.inspectFailed(ctx, at, err)
		}
		if hint.Predecessor != "" {
			evidence = append(evidence, attempt.F("predecessor", hint.Predecessor), attempt.F("predecessor_policies", hint.PredecessorPolicy))
		}
		at.Also(check.PolicyNoneAttached, evidence...)
	}
}

// inspectFailed logs broken machinery, and nothing when the server is stopping.
func (s *Server) inspectFailed(ctx context.Context, at *attempt.Attempt, err error) {
	if ctx.Err() == nil {
		s.cfg.Log.LogAttrs(ctx, slog.LevelWarn, "cannot look for further faults", slog.String("trace", at.ID()), slog.String("error", err.Error()))
	}
}
