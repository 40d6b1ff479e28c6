package registry

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/gatehouse-iot/gatehouse/internal/store"
	"github.com/gatehouse-iot/gatehouse/internal/store/registrydb"
)

// Rules for server certificates of domain configurations. Source: connect sheet 1.2.
const (
	maxServerNames = 4
	maxChainLength = 5
	maxChainBytes  = 16 << 10
)

// A ServerCertificate is an imported certificate that domain configurations
// present, without its key.
type ServerCertificate struct {
	ARN        string // arn:{partition}:acm:{region}:{account}:certificate/{uuid}
	Names      []string
	NotBefore  time.Time
	NotAfter   time.Time
	ImportedAt time.Time
}

// ServerCertificatePEM is what is imported, each in PEM form.
type ServerCertificatePEM struct {
	Certificate string // the leaf
	Chain       string // intermediates, from the leaf's issuer on; "" for none
	PrivateKey  string
}

// ImportServerCertificate stores a server certificate and its key, and answers
// an ARN as AWS Certificate Manager does. With an ARN it renews that one: what
// devices see must stay the same, so names and signature algorithm may not
// change. Refusals: CertificateValidation with the rule, ResourceNotFound.
// Source: connect sheet 1.2.
func (r *Registry) ImportServerCertificate(ctx context.Context, arn string, in ServerCertificatePEM) (ServerCertificate, error) {
	cert, err := parseServerCertificate(in)
	if err != nil {
		return ServerCertificate{}, err
	}
	if err := checkServerCertificate(cert, time.Now()); err != nil {
		return ServerCertificate{}, err
	}
	var made ServerCertificate
	err = r.write(ctx, func(t *tx) error {
		row := registrydb.ServerCertificate{
			CertificateID: uuid.NewString(), CertificatePEM: in.Certificate, ChainPEM: in.Chain, KeyPEM: in.PrivateKey, ImportedAt: t.now,
		}
		if arn != "" {
			if row.CertificateID, err = r.serverCertificateID(arn); err != nil {
				return err
			}
			if err := checkRenewal(ctx, t, arn, row.CertificateID, cert.Leaf); err != nil {
				return err
			}
			err = t.UpdateServerCertificate(ctx, registrydb.UpdateServerCertificateParams(row))
		} else {
			err = t.InsertServerCertificate(ctx, registrydb.InsertServerCertificateParams(row))
		}
		made = r.serverCertificate(row, cert.Leaf)
		t.changed(Change{Kind: DomainChanged})
		return err
	})
	return made, err
}

// checkRenewal refuses a certificate that is not like the one that it replaces.
func checkRenewal(ctx context.Context, t *tx, arn, id string, leaf *x509.Certificate) error {
	old, err := t.GetServerCertificate(ctx, id)
	if store.IsNotFound(err) {
		return Errorf(ResourceNotFound, "There is no imported certificate %s.", arn)
	} else if err != nil {
		return err
	}
	was, err := parseServerCertificate(ServerCertificatePEM{old.CertificatePEM, old.ChainPEM, old.KeyPEM})
	if err != nil {
		return err
	}
	switch {
	case was.Leaf.SignatureAlgorithm != leaf.SignatureAlgorithm:
		return Errorf(CertificateValidation, "The certificate is signed with %s, the one that it renews with %s; they must be the same.", leaf.SignatureAlgorithm, was.Leaf.SignatureAlgorithm)
	case was.Leaf.Subject.CommonName != leaf.Subject.CommonName || !slices.Equal(serverNames(was.Leaf), serverNames(leaf)):
		return Errorf(CertificateValidation, "The certificate is for %s, the one that it renews for %s; they must be the same.", strings.Join(serverNames(leaf), ", "), strings.Join(serverNames(was.Leaf), ", "))
	}
	return nil
}

var serverCertificateARNPattern = regexp.MustCompile(`^certificate/[0-9a-f-]{36}$`)

// serverCertificateID takes the ID out of the ARN of an imported certificate.
func (r *Registry) serverCertificateID(arn string) (string, error) {
	a, ok := ParseARN(arn)
	if !ok || a.Service != "acm" || a.Region != r.region || a.Account != r.account || !serverCertificateARNPattern.MatchString(a.Resource) {
		return "", Errorf(InvalidRequest, "%q is not the ARN of a server certificate of this account: gatehouse domain import-certificate answers one.", arn)
	}
	_, id := a.Type()
	return id, nil
}

// TLSCertificate returns an imported certificate as TLS presents it, with its
// key, or a ResourceNotFound [*Error].
func (r *Registry) TLSCertificate(ctx context.Context, arn string) (*tls.Certificate, error) {
	return r.tlsCertificate(ctx, r.read(), arn)
}

func (r *Registry) tlsCertificate(ctx context.Context, q *registrydb.Queries, arn string) (*tls.Certificate, error) {
	id, err := r.serverCertificateID(arn)
	if err != nil {
		return nil, err
	}
	row, err := q.GetServerCertificate(ctx, id)
	if store.IsNotFound(err) {
		return nil, Errorf(ResourceNotFound, "There is no imported certificate %s.", arn)
	} else if err != nil {
		return nil, err
	}
	return parseServerCertificate(ServerCertificatePEM{row.CertificatePEM, row.ChainPEM, row.KeyPEM})
}

// checkServes refuses a certificate that does not serve host.
func (r *Registry) checkServes(ctx context.Context, t *tx, arn, host string) error {
	if arn == "" {
		return Errorf(InvalidRequest, "serverCertificateArns is required for the domain name %s: import a certificate with gatehouse domain import-certificate.", host)
	}
	cert, err := r.tlsCertificate(ctx, t.Queries, arn)
	if IsKind(err, ResourceNotFound) || IsKind(err, InvalidRequest) {
		refused, _ := errors.AsType[*Error](err)
		return Errorf(CertificateValidation, "serverCertificateArns: %s", refused.Message)
	} else if err != nil {
		return err
	}
	if err := checkServerCertificate(cert, time.Now()); err != nil {
		return err
	}
	if err := nameFits(cert.Leaf, host); err != nil {
		return Errorf(CertificateValidation, "The server certificate does not serve %s; it is for %s.", host, strings.Join(serverNames(cert.Leaf), ", "))
	}
	return nil
}

// nameFits tells whether a certificate serves host, by its SANs, or by its CN
// where it has none. Source: connect sheet 1.2.
func nameFits(leaf *x509.Certificate, host string) error {
	if len(leaf.DNSNames) == 0 && strings.EqualFold(leaf.Subject.CommonName, host) {
		return nil
	}
	return leaf.VerifyHostname(host)
}

// serverNames are the names that a certificate is for.
func serverNames(leaf *x509.Certificate) []string {
	if len(leaf.DNSNames) == 0 {
		return []string{leaf.Subject.CommonName}
	}
	names := slices.Clone(leaf.DNSNames)
	slices.Sort(names)
	return names
}

// parseServerCertificate reads certificate, chain and key, which must belong together.
func parseServerCertificate(in ServerCertificatePEM) (*tls.Certificate, error) {
	refuse := func(format string, args ...any) error { return Errorf(CertificateValidation, format, args...) }
	if len(in.Certificate)+len(in.Chain) > maxChainBytes {
		return nil, refuse("The certificate and its chain have %d bytes; the maximum is %d.", len(in.Certificate)+len(in.Chain), maxChainBytes)
	}
	leaf, err := certificatesIn(in.Certificate)
	if err != nil {
		return nil, refuse("The certificate: %v.", err)
	}
	if len(leaf) != 1 {
		return nil, refuse("The certificate: it must be one PEM block; put the others into the chain.")
	}
	chain := []*x509.Certificate{}
	if strings.TrimSpace(in.Chain) != "" {
		if chain, err = certificatesIn(in.Chain); err != nil {
			return nil, refuse("The chain: %v.", err)
		}
	}
	if len(chain)+1 > maxChainLength {
		return nil, refuse("The chain has %d certificates with the server's own; the maximum is %d.", len(chain)+1, maxChainLength)
	}
	cert := &tls.Certificate{Leaf: leaf[0], Certificate: [][]byte{leaf[0].Raw}}
	below := leaf[0]
	for i, c := range chain {
		if err := below.CheckSignatureFrom(c); err != nil {
			return nil, refuse("The chain: certificate %d (%s) did not issue %s: each must have issued the one before it.", i+1, c.Subject, below.Subject)
		}
		cert.Certificate = append(cert.Certificate, c.Raw)
		below = c
	}
	key, err := privateKeyIn(in.PrivateKey)
	if err != nil {
		return nil, refuse("The private key: %v.", err)
	}
	public, ok := key.Public().(interface{ Equal(crypto.PublicKey) bool })
	if !ok || !public.Equal(leaf[0].PublicKey) {
		return nil, refuse("The private key does not belong to the certificate.")
	}
	cert.PrivateKey = key
	return cert, nil
}

// checkServerCertificate refuses a certificate that AWS would not serve.
func checkServerCertificate(cert *tls.Certificate, now time.Time) error {
	leaf := cert.Leaf
	refuse := func(format string, args ...any) error { return Errorf(CertificateValidation, format, args...) }
	switch key := leaf.PublicKey.(type) {
	case *rsa.PublicKey:
		if key.N.BitLen() != 2048 {
			return refuse("The key of the server certificate has %d bits; RSA keys must have 2048.", key.N.BitLen())
		}
	case *ecdsa.PublicKey:
		if key.Curve != elliptic.P256() {
			return refuse("The key of the server certificate is on the curve %s; it must be P-256.", key.Curve.Params().Name)
		}
	default:
		return refuse("The key of the server certificate must be RSA with 2048 bits or ECDSA on P-256.")
	}
	switch names := serverNames(leaf); {
	case len(names) > maxServerNames:
		return refuse("The server certificate is for %d names; the maximum is %d.", len(names), maxServerNames)
	case names[0] == "":
		return refuse("The server certificate has no name.")
	case !slices.Contains(leaf.ExtKeyUsage, x509.ExtKeyUsageServerAuth):
		return refuse("The server certificate lacks the extended key usage serverAuth.")
	case now.After(leaf.NotAfter):
		return refuse("The server certificate has expired on %s.", leaf.NotAfter.UTC().Format(time.RFC3339))
	case now.Before(leaf.NotBefore):
		return refuse("The server certificate is not valid before %s.", leaf.NotBefore.UTC().Format(time.RFC3339))
	}
	return nil
}

// certificatesIn parses all certificates of a PEM text, which must hold nothing else.
func certificatesIn(text string) ([]*x509.Certificate, error) {
	var list []*x509.Certificate
	rest := []byte(text)
	for len(bytes.TrimSpace(rest)) > 0 {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			return nil, errors.New("it is not in PEM form")
		}
		if block.Type != "CERTIFICATE" {
			return nil, fmt.Errorf("it has a PEM block of the type %s", block.Type)
		}
		c, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("it can't be read: %w", err)
		}
		list = append(list, c)
	}
	if len(list) == 0 {
		return nil, errors.New("it is empty")
	}
	return list, nil
}

// privateKeyIn parses a private key: PKCS #8, PKCS #1 or SEC 1.
func privateKeyIn(text string) (crypto.Signer, error) {
	rest := []byte(text)
	for {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			return nil, errors.New("it is not in PEM form, or encrypted")
		}
		var key any
		var err error
		switch block.Type {
		case "EC PARAMETERS": // openssl writes them in front
			continue
		case "RSA PRIVATE KEY":
			key, err = x509.ParsePKCS1PrivateKey(block.Bytes)
		case "EC PRIVATE KEY":
			key, err = x509.ParseECPrivateKey(block.Bytes)
		default:
			key, err = x509.ParsePKCS8PrivateKey(block.Bytes)
		}
		if err != nil {
			return nil, errors.New("it can't be read")
		}
		signer, ok := key.(crypto.Signer)
		if !ok {
			return nil, errors.New("it can't sign")
		}
		return signer, nil
	}
}

// ServerCertificate describes an imported certificate, or a ResourceNotFound [*Error].
func (r *Registry) ServerCertificate(ctx context.Context, arn string) (ServerCertificate, error) {
	id, err := r.serverCertificateID(arn)
	if err != nil {
		return ServerCertificate{}, err
	}
	row, err := r.read().GetServerCertificate(ctx, id)
	if store.IsNotFound(err) {
		return ServerCertificate{}, Errorf(ResourceNotFound, "There is no imported certificate %s.", arn)
	} else if err != nil {
		return ServerCertificate{}, err
	}
	leaf, err := certificatesIn(row.CertificatePEM)
	if err != nil {
		return ServerCertificate{}, fmt.Errorf("read the server certificate %s: %w", arn, err)
	}
	return r.serverCertificate(row, leaf[0]), nil
}

func (r *Registry) serverCertificate(row registrydb.ServerCertificate, leaf *x509.Certificate) ServerCertificate {
	arn := ARN{Partition: r.partition, Service: "acm", Region: r.region, Account: r.account, Resource: "certificate/" + row.CertificateID}
	return ServerCertificate{
		ARN: arn.String(), Names: serverNames(leaf), NotBefore: leaf.NotBefore, NotAfter: leaf.NotAfter, ImportedAt: time.UnixMilli(row.ImportedAt),
	}
}
