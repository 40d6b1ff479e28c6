package identity

import (
	"context"
	"fmt"
	"time"

	"github.com/gatehouse-iot/gatehouse/internal/api/sigv4"
)

// A Signed is what became of a signature of version 4.
type Signed struct {
	Who         Principal
	AccessKeyID string         // as the request names it; "" when it can't be read
	Failure     *sigv4.Failure // nil: the signature is right, and Who made it
	Time        time.Time      // of the signature
	Expires     time.Duration  // of a presigned URL, else 0
	Region      string         // of the credential scope
	Service     string         // of the credential scope
	Required    string         // the Region that it should name
}

// VerifySignature says which user signed r, whose scope must name one of the
// services. It checks in AWS's order: form, scope, time, key, signature. An error
// is broken machinery. Source: api sheet 5; connect sheet 6.3, 7.
func (s *Service) VerifySignature(ctx context.Context, r sigv4.Request, body []byte, services ...string) (signed Signed, err error) {
	sig, f := sigv4.Parse(r)
	if f != nil {
		return Signed{Failure: f}, nil
	}
	signed = Signed{AccessKeyID: sig.AccessKeyID, Time: sig.Time, Expires: sig.Expires, Region: sig.Region, Service: sig.Service, Required: s.region}
	if signed.Failure = sig.CheckScope(s.region, services...); signed.Failure != nil {
		return signed, nil
	}
	if signed.Failure = s.signatures.CheckTime(sig, time.Now()); signed.Failure != nil {
		return signed, nil
	}
	if signed.Failure = sig.CheckToken(); signed.Failure != nil {
		return signed, nil
	}
	key, user, ok, err := s.registry.Signer(ctx, sig.AccessKeyID)
	if err != nil {
		return signed, fmt.Errorf("look up access key %s: %w", sig.AccessKeyID, err)
	}
	if !ok {
		signed.Failure = &sigv4.Failure{Reason: sigv4.UnknownKey, Message: "The security token included in the request is invalid."}
		return signed, nil
	}
	if _, signed.Failure = s.signatures.Verify(sig, key.Secret, body); signed.Failure == nil {
		signed.Who = s.UserPrincipal(user)
	}
	return signed, nil
}
