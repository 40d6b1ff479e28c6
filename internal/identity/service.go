package identity

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/gatehouse-iot/gatehouse/internal/api/sigv4"
	"github.com/gatehouse-iot/gatehouse/internal/registry"
)

// source is the part of the registry that says who exists and what applies to them.
type source interface {
	// Certificate returns the certificate with that ID, or a ResourceNotFound
	// *registry.Error.
	Certificate(ctx context.Context, certificateID string) (registry.Certificate, error)
	// EffectivePolicies returns what counts for a connection of principal
	// under clientID, all of one moment.
	EffectivePolicies(ctx context.Context, principal registry.Target, clientID string) (registry.Effective, error)
	// PrincipalGrants returns what decides about a principal whatever its
	// client ID, with at most so many things, all of one moment.
	PrincipalGrants(ctx context.Context, principal registry.Target, things int) (registry.Grants, error)
	// ThingGrants returns the facts of a thing and the policies of its groups,
	// all of one moment, or a ResourceNotFound *registry.Error.
	ThingGrants(ctx context.Context, name string) (registry.ConnectionThing, []registry.EffectivePolicy, error)
	// Signer returns an access key and the user that it acts as; ok is false for
	// a key that is not there.
	Signer(ctx context.Context, accessKeyID string) (key registry.AccessKey, user registry.User, ok bool, err error)
	// UserByID returns a user, or a ResourceNotFound *registry.Error.
	UserByID(ctx context.Context, userID string) (registry.User, error)
	// Watch calls fn for every change after its commit and before the
	// operation that made it returns to its caller.
	Watch(fn func(registry.Change)) (stop func())
	directory
}

// Config is what a Service needs.
type Config struct {
	Registry  source       // a *registry.Registry, required
	AccountID string       // 12 digits, required
	Region    string       // required
	Log       *slog.Logger // default: none

	MaxCertificates int // kept in memory, as are things; default 131,072, about 600 bytes each
	MaxPolicies     int // parsed documents and compiled combinations kept; default 8,192 each
}

// A Service identifies principals and authorizes what they do. It keeps
// certificates and compiled policies in memory, each a bounded number, and
// follows the registry's changes. It is safe for concurrent use.
type Service struct {
	registry  source
	account   string
	region    string
	partition string
	log       *slog.Logger
	clock     *clock
	stop      func()

	signatures sigv4.Verifier

	certificates  *bounded[Fingerprint, *Certificate]
	granted       *bounded[string, *grants]      // by certificate ID or user ID
	grantedThings *bounded[string, *thingGrants] // by thing name
	documents     *bounded[string, *document]    // by their text
	sets          *bounded[string, *set]         // by names, versions and documents
	joined        *bounded[[2]*set, *set]        // unions of two sets
	generation    atomic.Uint64                  // of the newest resolved authorization
	documentID    atomic.Uint64
}

// New builds a Service on a registry and begins to follow its changes. Close it.
func New(cfg Config) (*Service, error) {
	if cfg.Registry == nil || cfg.AccountID == "" || cfg.Region == "" {
		return nil, errors.New("identity: Registry, AccountID and Region are required")
	}
	if cfg.MaxCertificates <= 0 {
		cfg.MaxCertificates = 1 << 17
	}
	if cfg.MaxPolicies <= 0 {
		cfg.MaxPolicies = 1 << 13
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	s := &Service{
		registry:  cfg.Registry,
		account:   cfg.AccountID,
		region:    cfg.Region,
		partition: registry.PartitionOf(cfg.Region),
		log:       cfg.Log,
		clock:     newClock(),

		certificates:  newBounded[Fingerprint, *Certificate](cfg.MaxCertificates),
		granted:       newBounded[string, *grants](cfg.MaxCertificates),
		grantedThings: newBounded[string, *thingGrants](cfg.MaxCertificates),
		documents:     newBounded[string, *document](cfg.MaxPolicies),
		sets:          newBounded[string, *set](cfg.MaxPolicies),
		joined:        newBounded[[2]*set, *set](cfg.MaxPolicies),
	}
	s.stop = cfg.Registry.Watch(s.changed)
	return s, nil
}

// Close stops following the registry. Authorizations must not be used after it.
func (s *Service) Close() { s.stop() }

// changed takes a change of the registry. The clock goes first: whoever has
// read the old state and is about to keep it sees the time move.
func (s *Service) changed(ch registry.Change) {
	s.clock.advance(inputsOf(ch)...)
	if ch.Kind == registry.CertificateChanged {
		if fp, ok := ParseFingerprint(ch.CertificateID); ok {
			s.certificates.forget(fp)
		}
	}
}

// A Fingerprint is the SHA-256 of a certificate's DER form: its ID on AWS.
// Source: connect sheet 4.1.
type Fingerprint [32]byte

// String returns the certificate ID: 64 lower-case hex digits.
func (f Fingerprint) String() string { return hex.EncodeToString(f[:]) }

// ParseFingerprint reads a certificate ID.
func ParseFingerprint(certificateID string) (f Fingerprint, ok bool) {
	if len(certificateID) != 2*len(f) {
		return f, false
	}
	_, err := hex.Decode(f[:], []byte(certificateID))
	return f, err == nil
}

// A Certificate is what a handshake needs to know of a registered certificate.
// It is shared and must not be changed.
type Certificate struct {
	ID         string
	ARN        string
	CAID       string // of the registered CA that it was registered under, or ""
	Status     registry.CertificateStatus
	Mode       string // registry.ModeDefault or registry.ModeSNIOnly
	ModifiedAt time.Time
}

// Principal returns who the holder of the certificate is.
func (s *Service) Principal(c *Certificate) Principal {
	return Principal{Kind: KindCertificate, ID: c.ID, ARN: c.ARN, AccountID: s.account}
}

// CertificateByFingerprint returns the registered certificate whose DER form
// hashes to fp; found is false when this account has none. An answer from
// memory is as fresh as the registry: a change removes it before the API call
// that made the change returns.
func (s *Service) CertificateByFingerprint(ctx context.Context, fp Fingerprint) (c *Certificate, found bool, err error) {
	if c, ok := s.certificates.get(fp); ok {
		return c, true, nil
	}
	id := fp.String()
	slot := []uint16{s.clock.slot(input{inputCertificate, id})}
	before, _ := s.clock.read(slot)
	row, err := s.registry.Certificate(ctx, id)
	if registry.IsKind(err, registry.ResourceNotFound) {
		return nil, false, nil // not remembered: hostile peers have many certificates
	}
	if err != nil {
		return nil, false, fmt.Errorf("look up certificate %s: %w", id, err)
	}
	c = &Certificate{ID: row.ID, ARN: row.ARN, CAID: row.CAID, Status: row.Status, Mode: row.Mode, ModifiedAt: row.LastModifiedAt}
	s.certificates.put(fp, c, func() bool {
		after, _ := s.clock.read(slot)
		return after == before // else what was read may be old by now
	})
	return c, true, nil
}
