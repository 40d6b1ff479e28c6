package sigv4

import (
	"cmp"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"strings"
	"sync"
	"time"
)

// maxKeys bounds the cache of derived keys.
const maxKeys = 256

// Verifier checks signatures. The zero value uses AWS's skew. Safe for
// concurrent use.
type Verifier struct {
	Past   time.Duration // how old a signature may be; default 15 min
	Future time.Duration // how far it may be ahead of our clock; default 5 min

	mu   sync.Mutex
	keys map[scopeKey][]byte // guarded by mu; derived keys of signatures that were right
}

type scopeKey struct{ secret, day, region, service string }

// CheckTime refuses a signature that is too old or too new at the time now.
func (v *Verifier) CheckTime(s *Signature, now time.Time) *Failure {
	past, future := cmp.Or(v.Past, 15*time.Minute), cmp.Or(v.Future, 5*time.Minute)
	now = now.UTC().Truncate(time.Second)
	form := func(t time.Time) string { return t.Format(timeLayout) }
	if limit := now.Add(future); s.Time.After(limit) {
		return fail(TooNew, "Signature not yet current: %s is still later than %s (%s + %d min.)", s.date, form(limit), form(now), int(future.Minutes()))
	}
	if s.Expires > 0 {
		if now.After(s.Time.Add(s.Expires)) {
			return fail(Expired, "Request has expired: it was signed at %s for %d seconds.", s.date, int(s.Expires.Seconds()))
		}
		return nil
	}
	if limit := now.Add(-past); s.Time.Before(limit) {
		return fail(TooOld, "Signature expired: %s is now earlier than %s (%s - %d min.)", s.date, form(limit), form(now), int(past.Minutes()))
	}
	return nil
}

// Verify checks the signature with the secret of its access key. It returns in
// which form of the path it matched; time and session token are checked apart.
func (v *Verifier) Verify(s *Signature, secret string, body []byte) (Encoding, *Failure) {
	enc, f := v.verify(s, secret, body, false)
	if f != nil && f.Canonical != "" {
		f.Differs, f.Signed = v.differs(s, secret, body)
	}
	return enc, f
}

// verify compares the signature. A trial keeps no key.
func (v *Verifier) verify(s *Signature, secret string, body []byte, trial bool) (Encoding, *Failure) {
	const differs = "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method. Consult the service documentation for details."
	given, err := hex.DecodeString(s.signature)
	if err != nil || len(given) != sha256.Size {
		return "", fail(Mismatch, differs)
	}
	payload, f := s.payloadHash(body)
	if f != nil {
		return "", f
	}
	headers, names := s.canonicalHeaders()
	queries, f := s.queries()
	if f != nil {
		return "", f
	}
	scope := scopeKey{secret, s.Day, s.Region, s.Service}
	key, cached := v.key(scope)
	var first string
	for _, p := range paths(s.request.RawPath) {
		for _, q := range queries {
			canonical := strings.Join([]string{s.request.Method, p.path, q, headers, names, payload}, "\n")
			if first == "" {
				first = canonical
			}
			sum := sha256.Sum256([]byte(canonical))
			text := strings.Join([]string{algorithm, s.date, s.Day + "/" + s.Region + "/" + s.Service + "/" + terminator, hex.EncodeToString(sum[:])}, "\n")
			if subtle.ConstantTimeCompare(sign(key, text), given) == 1 {
				if !cached && !trial {
					v.keep(scope, key)
				}
				return p.enc, nil
			}
		}
	}
	return "", &Failure{Reason: Mismatch, Message: differs, Canonical: first}
}

// What stands in place of the hash of a body.
const (
	unsignedPayload = "UNSIGNED-PAYLOAD"
	emptyPayload    = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
)

// payloadHash returns the last line of the canonical request.
func (s *Signature) payloadHash(body []byte) (string, *Failure) {
	if s.payload != "" {
		return s.payload, nil
	}
	sum := sha256.Sum256(body)
	actual := hex.EncodeToString(sum[:])
	switch stated := s.request.Header.Get("X-Amz-Content-Sha256"); {
	case stated == "":
		return actual, nil
	case stated == unsignedPayload && s.request.TLS:
		return unsignedPayload, nil
	case stated == unsignedPayload:
		return "", fail(Mismatch, "UNSIGNED-PAYLOAD is accepted over TLS only.")
	case !strings.EqualFold(stated, actual):
		return "", fail(Mismatch, "The value of X-Amz-Content-Sha256 is not the SHA-256 of the body that arrived.")
	default:
		return stated, nil
	}
}

// queries returns the canonical queries to try: of a presigned request that was
// given its token after signing, the one without it first.
func (s *Signature) queries() ([]string, *Failure) {
	if !s.Presigned {
		q, err := canonicalQuery(s.request.RawQuery)
		if err != nil {
			return nil, fail(Incomplete, "The query string is malformed.")
		}
		return []string{q}, nil
	}
	full, err := canonicalQuery(s.request.RawQuery, "X-Amz-Signature")
	if err != nil {
		return nil, fail(Incomplete, "The query string is malformed.")
	}
	if s.SessionToken == "" {
		return []string{full}, nil
	}
	without, _ := canonicalQuery(s.request.RawQuery, "X-Amz-Signature", "X-Amz-Security-Token")
	return []string{without, full}, nil
}

// key returns the derived key of a scope, and whether it was cached.
func (v *Verifier) key(k scopeKey) ([]byte, bool) {
	v.mu.Lock()
	key, ok := v.keys[k]
	v.mu.Unlock()
	if ok {
		return key, true
	}
	key = sign([]byte("AWS4"+k.secret), k.day)
	for _, part := range []string{k.region, k.service, terminator} {
		key = sign(key, part)
	}
	return key, false
}

// keep remembers the key of a signature that was right; only those, so that
// strangers cannot fill the cache.
func (v *Verifier) keep(k scopeKey, key []byte) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.keys == nil || len(v.keys) >= maxKeys {
		v.keys = make(map[scopeKey][]byte)
	}
	v.keys[k] = key
}

func sign(key []byte, text string) []byte {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(text))
	return h.Sum(nil)
}
