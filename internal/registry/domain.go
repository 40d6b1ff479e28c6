package registry

import (
	"context"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/gatehouse-iot/gatehouse/internal/store"
	"github.com/gatehouse-iot/gatehouse/internal/store/registrydb"
)

// maxDomainConfigurations is the quota of an account and Region. Source: connect sheet 1.2.
const maxDomainConfigurations = 10

// A DomainStatus says whether the host of a configuration is served.
type DomainStatus string

// The states of a domain configuration.
const (
	DomainEnabled  DomainStatus = "ENABLED"
	DomainDisabled DomainStatus = "DISABLED"
)

// Types of a domain configuration.
const (
	DomainTypeEndpoint        = "ENDPOINT"         // one of the account's own endpoints
	DomainTypeCustomerManaged = "CUSTOMER_MANAGED" // a host name of the customer
)

// Words of a domain configuration for "as port and ALPN say". Source: connect sheet 1.3.
const (
	DefaultAuthentication = "DEFAULT"
	DefaultProtocol       = "DEFAULT"
	serviceData           = "DATA"
)

// A DomainConfiguration says how devices are served under one host name.
// Source: connect sheet 1.2, custom-auth sheet 13.
type DomainConfiguration struct {
	Name                 string
	ARN                  string
	DomainName           string // host, in lower case
	Type                 string // DomainTypeEndpoint or DomainTypeCustomerManaged
	ServiceType          string // DATA, JOBS or CREDENTIAL_PROVIDER
	ServerCertificateARN string // "" for one of the account's own endpoints
	Authorizer           AuthorizerConfig
	SecurityPolicy       string // "" is AWS's default
	AuthenticationType   string
	ApplicationProtocol  string
	Status               DomainStatus
	StatusChangedAt      time.Time // zero for one of the account's own endpoints
}

// An AuthorizerConfig chooses the authorizer of a host name.
type AuthorizerConfig struct {
	DefaultName   string // "" for none
	AllowOverride bool   // a client may name another one
}

// A DomainUpdate says what to change of a configuration; nil keeps what is.
type DomainUpdate struct {
	Authorizer          *AuthorizerConfig
	RemoveAuthorizer    bool
	SecurityPolicy      *string
	AuthenticationType  *string
	ApplicationProtocol *string
	Status              *DomainStatus
}

// authenticationOf lists the application protocols of every authentication
// type. Source: connect sheet 1.3.
var authenticationOf = map[string][]string{
	"AWS_X509":            {"SECURE_MQTT", "HTTPS"},
	"CUSTOM_AUTH_X509":    {"SECURE_MQTT", "HTTPS"},
	"AWS_SIGV4":           {"MQTT_WSS", "HTTPS"},
	"CUSTOM_AUTH":         {"SECURE_MQTT", "MQTT_WSS", "HTTPS"},
	DefaultAuthentication: {DefaultProtocol},
}

var hostPattern = regexp.MustCompile(`^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`)

// CreateDomainConfiguration makes the configuration of a host name, whose name
// and settings d has. Refusals: ResourceAlreadyExists, InvalidRequest,
// CertificateValidation for a server certificate that does not serve the name,
// LimitExceeded beyond 10. Source: connect sheet 1.2.
func (r *Registry) CreateDomainConfiguration(ctx context.Context, d DomainConfiguration, tags []Tag) (DomainConfiguration, error) {
	d.DomainName, d.Status = strings.ToLower(d.DomainName), DomainEnabled
	if d.AuthenticationType == "" {
		d.AuthenticationType = DefaultAuthentication
	}
	if d.ApplicationProtocol == "" {
		d.ApplicationProtocol = DefaultProtocol
	}
	var made DomainConfiguration
	err := r.write(ctx, func(t *tx) error {
		if strings.HasPrefix(strings.ToLower(d.Name), "iot:") {
			return Errorf(InvalidRequest, "The name %s is reserved: names that begin with iot: belong to the account's own endpoints.", d.Name)
		}
		if old, err := t.GetDomainConfiguration(ctx, d.Name); err == nil {
			return Errorf(ResourceAlreadyExists, "Domain configuration with given name already exists.").About(d.Name, r.domainARN(old))
		} else if !store.IsNotFound(err) {
			return err
		}
		if err := r.checkHost(d.DomainName); err != nil {
			return err
		}
		if err := r.checkDomain(ctx, t, &d); err != nil {
			return err
		}
		if err := r.checkServes(ctx, t, d.ServerCertificateARN, d.DomainName); err != nil {
			return err
		}
		if n, err := t.CountDomainConfigurations(ctx); err != nil {
			return err
		} else if n >= maxDomainConfigurations {
			return Errorf(LimitExceeded, "The account already has the maximum number of domain configurations (%d).", maxDomainConfigurations)
		}
		row := registrydb.DomainConfiguration{
			ConfigurationName: d.Name, ConfigurationID: randomString(5, domainIDLetters), DomainName: d.DomainName,
			ServerCertificateARN: d.ServerCertificateARN, StatusChangedAt: t.now, CreatedAt: t.now,
		}
		d.encode(&row)
		err := t.InsertDomainConfiguration(ctx, registrydb.InsertDomainConfigurationParams(row))
		if store.IsUnique(err) {
			return Errorf(ResourceAlreadyExists, "Another domain configuration has the domain name %s.", d.DomainName).About(d.Name, r.domainARN(row))
		} else if err != nil {
			return err
		}
		if err := r.tagNew(ctx, t, "domainconfiguration", d.Name, tags); err != nil {
			return err
		}
		t.changed(Change{Kind: DomainChanged, DomainName: d.Name})
		made = r.domain(row)
		return nil
	})
	return made, err
}

// domainIDLetters are the letters of the end of an ARN: 64, so that each is
// equally likely.
const domainIDLetters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789ab"

// checkHost refuses what can't be the host name of a configuration.
func (r *Registry) checkHost(host string) error {
	switch {
	case host == "":
		return Errorf(InvalidRequest, "domainName is required: Gatehouse has no domain of its own under which it could make up a host name (AWS_MANAGED).")
	case len(host) > 253 || !hostPattern.MatchString(host):
		return Errorf(InvalidRequest, "domainName %q is not a fully qualified domain name, such as iot.example.com.", host)
	case host == strings.ToLower(r.endpoint):
		return Errorf(InvalidRequest, "domainName %s is the account's own endpoint.", host)
	}
	return nil
}

// checkDomain refuses settings that do not go together.
func (r *Registry) checkDomain(ctx context.Context, t *tx, d *DomainConfiguration) error {
	protocols, ok := authenticationOf[d.AuthenticationType]
	if !ok || !slices.Contains(protocols, d.ApplicationProtocol) {
		return Errorf(InvalidRequest, "The authentication type %s can't be combined with the application protocol %s; it takes %s.",
			d.AuthenticationType, d.ApplicationProtocol, strings.Join(protocols, ", "))
	}
	if name := d.Authorizer.DefaultName; name != "" {
		if _, err := t.GetAuthorizer(ctx, name); store.IsNotFound(err) {
			return Errorf(InvalidRequest, "authorizerConfig: there is no authorizer %s.", name)
		} else if err != nil {
			return err
		}
	}
	return nil
}

// DomainConfiguration returns a configuration, also that of one of the
// account's own endpoints, or a ResourceNotFound [*Error].
func (r *Registry) DomainConfiguration(ctx context.Context, name string) (DomainConfiguration, error) {
	for _, own := range r.ownDomains() {
		if own.Name == name {
			return own, nil
		}
	}
	row, err := r.read().GetDomainConfiguration(ctx, name)
	if err != nil {
		return DomainConfiguration{}, domainError(err, name)
	}
	return r.domain(row), nil
}

// ownDomains are the account's own endpoints, as AWS lists them.
// Source: connect sheet 1.1.
func (r *Registry) ownDomains() []DomainConfiguration {
	var list []DomainConfiguration
	for _, e := range []struct{ name, service string }{
		{"iot:Data-ATS", serviceData}, {"iot:Data", serviceData}, {"iot:Jobs", "JOBS"}, {"iot:CredentialProvider", "CREDENTIAL_PROVIDER"},
	} {
		list = append(list, DomainConfiguration{
			Name: e.name, ARN: r.ARN("domainconfiguration", e.name), DomainName: r.endpoint, Type: DomainTypeEndpoint, ServiceType: e.service,
			AuthenticationType: DefaultAuthentication, ApplicationProtocol: DefaultProtocol, Status: DomainEnabled,
		})
	}
	return list
}

// ListDomainConfigurations lists the account's own endpoints, then the others
// in the order of their creation; those of one service where serviceType is not
// empty. 25 a page unless the page says otherwise.
func (r *Registry) ListDomainConfigurations(ctx context.Context, serviceType string, page Page) (Listing[DomainConfiguration], error) {
	custom, err := r.CustomDomains(ctx)
	if err != nil {
		return Listing[DomainConfiguration]{}, err
	}
	list := slices.DeleteFunc(append(r.ownDomains(), custom...), func(d DomainConfiguration) bool {
		return serviceType != "" && d.ServiceType != serviceType
	})
	if page.After != "" {
		at := slices.IndexFunc(list, func(d DomainConfiguration) bool { return d.Name == page.After })
		if at < 0 {
			return Listing[DomainConfiguration]{}, errBadMarker()
		}
		list = list[at+1:]
	}
	limit := page.limit(defaultPageSize)
	return cut(list[:min(len(list), limit+1)], limit, func(d DomainConfiguration) string { return d.Name }, itself), nil
}

// CustomDomains returns all configurations but those of the account's own
// endpoints: at most 10.
func (r *Registry) CustomDomains(ctx context.Context) ([]DomainConfiguration, error) {
	rows, err := r.read().ListDomainConfigurations(ctx)
	if err != nil {
		return nil, err
	}
	list := make([]DomainConfiguration, len(rows))
	for i, row := range rows {
		list[i] = r.domain(row)
	}
	return list, nil
}

// UpdateDomainConfiguration changes what u names. Refusals: ResourceNotFound,
// InvalidRequest. Source: connect sheet 1.2.
func (r *Registry) UpdateDomainConfiguration(ctx context.Context, name string, u DomainUpdate) (DomainConfiguration, error) {
	if r.isOwnDomain(name) {
		return DomainConfiguration{}, Errorf(InvalidRequest, "The domain configuration %s is one of the account's own endpoints; it can't be updated.", name)
	}
	var made DomainConfiguration
	err := r.write(ctx, func(t *tx) error {
		row, err := t.GetDomainConfiguration(ctx, name)
		if err != nil {
			return domainError(err, name)
		}
		d := r.domain(row)
		was := d.Status
		u.apply(&d)
		if err := r.checkDomain(ctx, t, &d); err != nil {
			return err
		}
		d.encode(&row)
		if d.Status != was {
			row.StatusChangedAt = t.now
		}
		t.changed(Change{Kind: DomainChanged, DomainName: name})
		made = r.domain(row)
		return t.UpdateDomainConfiguration(ctx, registrydb.UpdateDomainConfigurationParams{
			ConfigurationName: name, DefaultAuthorizer: row.DefaultAuthorizer, AllowOverride: row.AllowOverride, SecurityPolicy: row.SecurityPolicy,
			AuthenticationType: row.AuthenticationType, ApplicationProtocol: row.ApplicationProtocol, Status: row.Status, StatusChangedAt: row.StatusChangedAt,
		})
	})
	return made, err
}

// apply changes d as u says.
func (u DomainUpdate) apply(d *DomainConfiguration) {
	if u.Authorizer != nil {
		d.Authorizer = *u.Authorizer
	}
	if u.RemoveAuthorizer {
		d.Authorizer = AuthorizerConfig{}
	}
	if u.SecurityPolicy != nil {
		d.SecurityPolicy = *u.SecurityPolicy
	}
	if u.AuthenticationType != nil {
		d.AuthenticationType = *u.AuthenticationType
	}
	if u.ApplicationProtocol != nil {
		d.ApplicationProtocol = *u.ApplicationProtocol
	}
	if u.Status != nil {
		d.Status = *u.Status
	}
}

// DeleteDomainConfiguration deletes a configuration that is DISABLED.
// Refusals: ResourceNotFound, InvalidRequest. Source: connect sheet 1.2.
func (r *Registry) DeleteDomainConfiguration(ctx context.Context, name string) error {
	if r.isOwnDomain(name) {
		return Errorf(InvalidRequest, "The domain configuration %s is one of the account's own endpoints; it can't be deleted.", name)
	}
	return r.write(ctx, func(t *tx) error {
		row, err := t.GetDomainConfiguration(ctx, name)
		if err != nil {
			return domainError(err, name)
		}
		if row.Status != string(DomainDisabled) {
			return Errorf(InvalidRequest, "The domain configuration %s is ENABLED; set its status to DISABLED before you delete it.", name)
		}
		if err := t.DeleteDomainConfiguration(ctx, name); err != nil {
			return err
		}
		t.changed(Change{Kind: DomainChanged, DomainName: name})
		return r.untagGone(ctx, t, "domainconfiguration", name)
	})
}

func (r *Registry) isOwnDomain(name string) bool {
	return slices.ContainsFunc(r.ownDomains(), func(d DomainConfiguration) bool { return d.Name == name })
}

// encode writes d into the columns that may change.
func (d *DomainConfiguration) encode(row *registrydb.DomainConfiguration) {
	row.DefaultAuthorizer, row.AllowOverride = d.Authorizer.DefaultName, bit(d.Authorizer.AllowOverride)
	row.SecurityPolicy, row.AuthenticationType, row.ApplicationProtocol = d.SecurityPolicy, d.AuthenticationType, d.ApplicationProtocol
	row.Status = string(d.Status)
}

// domainARN ends with the configuration's ID. Source: connect sheet 1.2.
func (r *Registry) domainARN(row registrydb.DomainConfiguration) string {
	return r.ARN("domainconfiguration", row.ConfigurationName+"/"+row.ConfigurationID)
}

// domain makes a DomainConfiguration of its row.
func (r *Registry) domain(row registrydb.DomainConfiguration) DomainConfiguration {
	return DomainConfiguration{
		Name: row.ConfigurationName, ARN: r.domainARN(row), DomainName: row.DomainName, Type: DomainTypeCustomerManaged, ServiceType: serviceData,
		ServerCertificateARN: row.ServerCertificateARN,
		Authorizer:           AuthorizerConfig{row.DefaultAuthorizer, row.AllowOverride != 0},
		SecurityPolicy:       row.SecurityPolicy, AuthenticationType: row.AuthenticationType, ApplicationProtocol: row.ApplicationProtocol,
		Status: DomainStatus(row.Status), StatusChangedAt: time.UnixMilli(row.StatusChangedAt),
	}
}

// domainError says which configuration is missing, and leaves other errors alone.
func domainError(err error, name string) error {
	if store.IsNotFound(err) {
		return Errorf(ResourceNotFound, "The domain configuration %s does not exist.", name)
	}
	return err
}
