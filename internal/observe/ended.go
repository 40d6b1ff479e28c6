package observe

import (
	"github.com/gatehouse-iot/gatehouse/internal/attempt"
	"github.com/gatehouse-iot/gatehouse/internal/check"
)

// Ended tells of an attempt that is over, if its refusal was not told where it
// happened: see [AtEnd]. Give it to [attempt.Config].
func (h *Hub) Ended(rec attempt.Record) {
	if rec.Outcome != attempt.Failed || rec.Door == attempt.DoorAPI || rec.Has(check.SessionOpened) {
		return
	}
	c, ok := check.Lookup(rec.Code)
	if !ok {
		return
	}
	kind, told := AtEnd(c)
	if !told {
		return
	}
	outcome := AuthError
	if kind == HandshakeRefused {
		outcome = ClientError
	}
	by := &Request{Is: Who{Protocol: protocolOf(&rec), TraceID: rec.ID, ClientID: rec.ClientID, PrincipalID: rec.Principal, Source: rec.Source}}
	if by.Is.PrincipalID == "" {
		by.Is.PrincipalID = rec.CertificateID
	}
	e := &Event{Kind: kind, Outcome: outcome, Time: rec.Last, Check: c, Attempt: &rec}
	h.tallies.refused(by.Is.Protocol, e)
	if !h.Seen(by, by.Is.Protocol, kind, outcome) {
		return
	}
	for _, s := range rec.Steps {
		if s.Check == c && s.Outcome == attempt.Failed {
			e.Evidence, e.Time = s.Evidence, rec.Began.Add(s.Last)
			break
		}
	}
	h.Log(by, e)
}

// protocolOf says what the device meant to speak.
func protocolOf(rec *attempt.Record) Protocol {
	if rec.Protocol == "HTTPS" || rec.Protocol == "" && (rec.Door == attempt.DoorHTTPS || rec.Door == attempt.DoorALPN && rec.ALPN == "x-amzn-http-ca") {
		return HTTP
	}
	return MQTT
}
