package registry

import (
	"context"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/gatehouse-iot/gatehouse/internal/store"
	"github.com/gatehouse-iot/gatehouse/internal/store/registrydb"
)

// Quotas of an account and Region. Source: custom-auth sheet 2.
const (
	maxAuthorizers       = 100
	maxActiveAuthorizers = 32
)

// An AuthorizerStatus says whether an authorizer may be used.
type AuthorizerStatus string

// The states of an authorizer.
const (
	AuthorizerActive   AuthorizerStatus = "ACTIVE"
	AuthorizerInactive AuthorizerStatus = "INACTIVE"
)

// An Authorizer is a function that says who a client is and what it may do.
// Source: custom-auth sheet 2.
type Authorizer struct {
	Name            string
	ARN             string
	FunctionARN     string            // may end with :alias or :version
	TokenKeyName    string            // parameter that carries the token; "" where signing is disabled and it was not given
	SigningKeys     map[string]string // key name -> PEM of an RSA public key; any of them may verify
	SigningDisabled bool              // can't be changed later
	HTTPCaching     bool              // enableCachingForHttp
	Status          AuthorizerStatus
	CreatedAt       time.Time
	LastModifiedAt  time.Time
}

// An AuthorizerUpdate says what to change of an authorizer; nil keeps what is.
// A map of keys replaces the old one.
type AuthorizerUpdate struct {
	FunctionARN  *string
	TokenKeyName *string
	SigningKeys  map[string]string
	Status       *AuthorizerStatus
	HTTPCaching  *bool
}

// CreateAuthorizer makes an authorizer of a, whose name and settings count. It
// does not look whether the function exists, as AWS does not. Refusals:
// ResourceAlreadyExists, InvalidRequest, LimitExceeded beyond 100 authorizers,
// 32 of them active. Source: custom-auth sheet 2.
func (r *Registry) CreateAuthorizer(ctx context.Context, a Authorizer, tags []Tag) (Authorizer, error) {
	if a.Status == "" {
		a.Status = AuthorizerActive
	}
	var made Authorizer
	err := r.write(ctx, func(t *tx) error {
		if _, err := t.GetAuthorizer(ctx, a.Name); err == nil {
			return Errorf(ResourceAlreadyExists, "Authorizer %s already exists.", a.Name).About(a.Name, r.ARN("authorizer", a.Name))
		} else if !store.IsNotFound(err) {
			return err
		}
		if err := r.checkAuthorizer(&a); err != nil {
			return err
		}
		all, err := t.CountAuthorizers(ctx, "")
		if err != nil {
			return err
		}
		if all >= maxAuthorizers {
			return Errorf(LimitExceeded, "The account already has the maximum number of authorizers (%d).", maxAuthorizers)
		}
		if err := t.checkActiveAuthorizers(ctx, a.Status); err != nil {
			return err
		}
		row := registrydb.Authorizer{AuthorizerName: a.Name, CreatedAt: t.now, LastModifiedAt: t.now}
		a.encode(&row)
		if err := t.InsertAuthorizer(ctx, registrydb.InsertAuthorizerParams(row)); err != nil {
			return err
		}
		if err := r.tagNew(ctx, t, "authorizer", a.Name, tags); err != nil {
			return err
		}
		t.changed(Change{Kind: AuthorizerChanged, AuthorizerName: a.Name})
		made, err = r.authorizer(row)
		return err
	})
	return made, err
}

// checkActiveAuthorizers refuses one more active authorizer than may be.
func (t *tx) checkActiveAuthorizers(ctx context.Context, status AuthorizerStatus) error {
	if status != AuthorizerActive {
		return nil
	}
	n, err := t.CountAuthorizers(ctx, string(AuthorizerActive))
	if err != nil {
		return err
	}
	if n >= maxActiveAuthorizers {
		return Errorf(LimitExceeded, "The account already has the maximum number of active authorizers (%d).", maxActiveAuthorizers)
	}
	return nil
}

// Authorizer returns an authorizer, or a ResourceNotFound [*Error].
func (r *Registry) Authorizer(ctx context.Context, name string) (Authorizer, error) {
	row, err := r.read().GetAuthorizer(ctx, name)
	if err != nil {
		return Authorizer{}, r.authorizerError(err, name)
	}
	return r.authorizer(row)
}

// ListAuthorizers lists the names of the authorizers with a status, or of all
// for the empty one, in the order of their creation, 25 a page unless the page
// says otherwise.
func (r *Registry) ListAuthorizers(ctx context.Context, status AuthorizerStatus, page Page) (Listing[string], error) {
	afterTime, afterName, err := page.age()
	if err != nil {
		return Listing[string]{}, err
	}
	limit := page.limit(defaultPageSize)
	var rows []registrydb.ListAuthorizersRow
	if page.Descending {
		var newest []registrydb.ListAuthorizersDescendingRow
		newest, err = r.read().ListAuthorizersDescending(ctx, registrydb.ListAuthorizersDescendingParams{
			AfterTime: afterTime, AfterName: afterName, Status: string(status), Size: int32(limit + 1),
		})
		for _, row := range newest {
			rows = append(rows, registrydb.ListAuthorizersRow(row))
		}
	} else {
		rows, err = r.read().ListAuthorizers(ctx, registrydb.ListAuthorizersParams{
			AfterTime: afterTime, AfterName: afterName, Status: string(status), Size: int32(limit + 1),
		})
	}
	if err != nil {
		return Listing[string]{}, err
	}
	return cut(rows, limit,
		func(row registrydb.ListAuthorizersRow) string { return ageKey(row.CreatedAt, row.AuthorizerName) },
		func(row registrydb.ListAuthorizersRow) string { return row.AuthorizerName }), nil
}

// UpdateAuthorizer changes what u names. Refusals: ResourceNotFound,
// InvalidRequest, LimitExceeded for one active authorizer too many.
func (r *Registry) UpdateAuthorizer(ctx context.Context, name string, u AuthorizerUpdate) (Authorizer, error) {
	var made Authorizer
	err := r.write(ctx, func(t *tx) error {
		row, err := t.GetAuthorizer(ctx, name)
		if err != nil {
			return r.authorizerError(err, name)
		}
		a, err := r.authorizer(row)
		if err != nil {
			return err
		}
		was := a.Status
		u.apply(&a)
		if err := r.checkAuthorizer(&a); err != nil {
			return err
		}
		if was != a.Status {
			if err := t.checkActiveAuthorizers(ctx, a.Status); err != nil {
				return err
			}
		}
		a.encode(&row)
		row.LastModifiedAt = t.now
		t.changed(Change{Kind: AuthorizerChanged, AuthorizerName: name})
		if made, err = r.authorizer(row); err != nil {
			return err
		}
		return t.UpdateAuthorizer(ctx, registrydb.UpdateAuthorizerParams{
			AuthorizerName: name, FunctionARN: row.FunctionARN, TokenKeyName: row.TokenKeyName, SigningKeys: row.SigningKeys,
			HttpCaching: row.HttpCaching, Status: row.Status, LastModifiedAt: row.LastModifiedAt,
		})
	})
	return made, err
}

// apply changes a as u says.
func (u AuthorizerUpdate) apply(a *Authorizer) {
	if u.FunctionARN != nil {
		a.FunctionARN = *u.FunctionARN
	}
	if u.TokenKeyName != nil {
		a.TokenKeyName = *u.TokenKeyName
	}
	if u.SigningKeys != nil {
		a.SigningKeys = u.SigningKeys
	}
	if u.Status != nil {
		a.Status = *u.Status
	}
	if u.HTTPCaching != nil {
		a.HTTPCaching = *u.HTTPCaching
	}
}

// DeleteAuthorizer deletes an authorizer that is INACTIVE, not the default one,
// and that no domain configuration names. Refusals: ResourceNotFound,
// DeleteConflict. Source: custom-auth sheet 2.
func (r *Registry) DeleteAuthorizer(ctx context.Context, name string) error {
	return r.write(ctx, func(t *tx) error {
		row, err := t.GetAuthorizer(ctx, name)
		if err != nil {
			return r.authorizerError(err, name)
		}
		conflict := func(format string, args ...any) error {
			return Errorf(DeleteConflict, format, args...).About(name, r.ARN("authorizer", name))
		}
		if row.Status == string(AuthorizerActive) {
			return conflict("The authorizer %s is ACTIVE; set its status to INACTIVE before you delete it.", name)
		}
		if def, err := defaultAuthorizer(ctx, t.Queries); err != nil {
			return err
		} else if def == name {
			return conflict("The authorizer %s is the default authorizer; clear the default authorizer before you delete it.", name)
		}
		domain, err := t.GetDomainConfigurationOfAuthorizer(ctx, name)
		if err == nil {
			return conflict("The authorizer %s is the default authorizer of the domain configuration %s.", name, domain)
		} else if !store.IsNotFound(err) {
			return err
		}
		if err := t.DeleteAuthorizer(ctx, name); err != nil {
			return err
		}
		t.changed(Change{Kind: AuthorizerChanged, AuthorizerName: name})
		return r.untagGone(ctx, t, "authorizer", name)
	})
}

// defaultAuthorizerSetting names the account's default authorizer.
const defaultAuthorizerSetting = "default_authorizer"

// defaultAuthorizer returns the name of the account's default authorizer, "" for none.
func defaultAuthorizer(ctx context.Context, q *registrydb.Queries) (string, error) {
	name, err := q.GetSetting(ctx, defaultAuthorizerSetting)
	if store.IsNotFound(err) {
		return "", nil
	}
	return name, err
}

// SetDefaultAuthorizer makes an authorizer the one that serves clients without
// credentials who name none. Refusals: ResourceNotFound; ResourceAlreadyExists
// when a default is set: clear it first. Source: custom-auth sheet 2.
func (r *Registry) SetDefaultAuthorizer(ctx context.Context, name string) (Authorizer, error) {
	var a Authorizer
	err := r.write(ctx, func(t *tx) error {
		row, err := t.GetAuthorizer(ctx, name)
		if err != nil {
			return r.authorizerError(err, name)
		}
		if def, err := defaultAuthorizer(ctx, t.Queries); err != nil {
			return err
		} else if def != "" {
			return Errorf(ResourceAlreadyExists, "The account already has the default authorizer %s; clear it first.", def).About(def, r.ARN("authorizer", def))
		}
		t.changed(Change{Kind: AuthorizerChanged, AuthorizerName: name})
		if a, err = r.authorizer(row); err != nil {
			return err
		}
		return t.PutSetting(ctx, registrydb.PutSettingParams{Name: defaultAuthorizerSetting, Value: name})
	})
	return a, err
}

// DefaultAuthorizer returns the account's default authorizer, or a
// ResourceNotFound [*Error].
func (r *Registry) DefaultAuthorizer(ctx context.Context) (Authorizer, error) {
	var a Authorizer
	err := r.view(ctx, func(q *registrydb.Queries) error {
		name, err := defaultAuthorizer(ctx, q)
		if err != nil {
			return err
		}
		if name == "" {
			return Errorf(ResourceNotFound, "The account has no default authorizer.")
		}
		row, err := q.GetAuthorizer(ctx, name)
		if err != nil {
			return r.authorizerError(err, name)
		}
		a, err = r.authorizer(row)
		return err
	})
	return a, err
}

// ClearDefaultAuthorizer leaves the account without default authorizer. It
// refuses with ResourceNotFound when there is none.
func (r *Registry) ClearDefaultAuthorizer(ctx context.Context) error {
	return r.write(ctx, func(t *tx) error {
		n, err := t.DeleteSetting(ctx, defaultAuthorizerSetting)
		if err != nil {
			return err
		}
		if n == 0 {
			return Errorf(ResourceNotFound, "The account has no default authorizer.")
		}
		t.changed(Change{Kind: AuthorizerChanged})
		return nil
	})
}

// functionARNPattern is the ARN of a function, with an alias or a version. It is
// large, and few processes need it.
var functionARNPattern = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^arn:(aws[a-zA-Z-]*):lambda:([a-z0-9-]+):([0-9]{12}):function:[a-zA-Z0-9-_]{1,64}(:(\$LATEST|[a-zA-Z0-9-_]{1,128}))?$`)
})

// checkAuthorizer refuses settings that can't work. Source: custom-auth sheet 2.
func (r *Registry) checkAuthorizer(a *Authorizer) error {
	f := functionARNPattern().FindStringSubmatch(a.FunctionARN)
	switch {
	case f == nil:
		return Errorf(InvalidRequest, "authorizerFunctionArn %q is not the ARN of a function: arn:%s:lambda:%s:%s:function:NAME.", a.FunctionARN, r.partition, r.region, r.account)
	case f[1] != r.partition || f[2] != r.region || f[3] != r.account:
		return Errorf(InvalidRequest, "authorizerFunctionArn %s: the function must be in the account and Region of the authorizer: %s in %s.", a.FunctionARN, r.account, r.region)
	case !a.SigningDisabled && a.TokenKeyName == "":
		return Errorf(InvalidRequest, "tokenKeyName is required unless signing is disabled.")
	case !a.SigningDisabled && len(a.SigningKeys) == 0:
		return Errorf(InvalidRequest, "tokenSigningPublicKeys is required unless signing is disabled.")
	}
	for _, name := range slices.Sorted(maps.Keys(a.SigningKeys)) {
		if _, err := ParseSigningKey(a.SigningKeys[name]); err != nil {
			return Errorf(InvalidRequest, "tokenSigningPublicKeys: the key %s is %v.", name, err)
		}
	}
	return nil
}

// ParseSigningKey reads the PEM form of an RSA public key of at least 2048
// bits: PUBLIC KEY, or RSA PUBLIC KEY. The error finishes the sentence "the key
// is ...". Source: custom-auth sheet 2.
func ParseSigningKey(text string) (*rsa.PublicKey, error) {
	block, _ := pem.Decode([]byte(strings.TrimSpace(text)))
	if block == nil {
		return nil, errors.New("no PEM block; it must begin with -----BEGIN PUBLIC KEY-----")
	}
	var key *rsa.PublicKey
	switch block.Type {
	case "PUBLIC KEY":
		parsed, err := x509.ParsePKIXPublicKey(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("no valid public key: %w", err)
		}
		var ok bool
		if key, ok = parsed.(*rsa.PublicKey); !ok {
			return nil, errors.New("no RSA key")
		}
	case "RSA PUBLIC KEY":
		var err error
		if key, err = x509.ParsePKCS1PublicKey(block.Bytes); err != nil {
			return nil, fmt.Errorf("no valid RSA public key: %w", err)
		}
	default:
		return nil, fmt.Errorf("a PEM block of the type %s; it must be a PUBLIC KEY", block.Type)
	}
	if bits := key.N.BitLen(); bits < minRSABits || bits > maxRSABits {
		return nil, fmt.Errorf("an RSA key of %d bits; it needs %d to %d", bits, minRSABits, maxRSABits)
	}
	return key, nil
}

// encode writes a into the columns that may change, and signing_disabled.
func (a *Authorizer) encode(row *registrydb.Authorizer) {
	b, _ := json.Marshal(a.SigningKeys) // strings never fail
	row.FunctionARN, row.TokenKeyName, row.SigningKeys = a.FunctionARN, a.TokenKeyName, string(b)
	row.SigningDisabled, row.HttpCaching = bit(a.SigningDisabled), bit(a.HTTPCaching)
	row.Status = string(a.Status)
}

// bit is a boolean as a column holds it.
func bit(b bool) int64 {
	if b {
		return 1
	}
	return 0
}

// authorizer makes an Authorizer of its row.
func (r *Registry) authorizer(row registrydb.Authorizer) (Authorizer, error) {
	a := Authorizer{
		Name: row.AuthorizerName, ARN: r.ARN("authorizer", row.AuthorizerName), FunctionARN: row.FunctionARN, TokenKeyName: row.TokenKeyName,
		SigningDisabled: row.SigningDisabled != 0, HTTPCaching: row.HttpCaching != 0, Status: AuthorizerStatus(row.Status),
		CreatedAt: time.UnixMilli(row.CreatedAt), LastModifiedAt: time.UnixMilli(row.LastModifiedAt),
	}
	if err := json.Unmarshal([]byte(row.SigningKeys), &a.SigningKeys); err != nil {
		return Authorizer{}, fmt.Errorf("read the keys of authorizer %s: %w", row.AuthorizerName, err)
	}
	return a, nil
}

// authorizerError says which authorizer is missing, and leaves other errors alone.
func (r *Registry) authorizerError(err error, name string) error {
	if store.IsNotFound(err) {
		return Errorf(ResourceNotFound, "Authorizer %s not found.", name).About(name, r.ARN("authorizer", name))
	}
	return err
}
