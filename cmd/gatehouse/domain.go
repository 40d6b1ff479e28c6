package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/gatehouse-iot/gatehouse/internal/server"
)

// domainCmd is about the host names of domain configurations.
type domainCmd struct {
	ImportCertificate domainImportCmd `cmd:"" help:"Import a server certificate for domain configurations, or renew one, and print its ARN."`
}

// Help is the example that `gatehouse domain --help` ends with.
func (c *domainCmd) Help() string {
	return `Example:

  gatehouse domain import-certificate --cert iot.example.com.pem --key iot.example.com.key --chain chain.pem`
}

// domainImportCmd stands in for the import of AWS Certificate Manager.
type domainImportCmd struct {
	serverFlags
	Cert  string `help:"The server's own certificate, PEM. A file with the chain behind it will do too." required:"" placeholder:"FILE"`
	Key   string `help:"Its private key, PEM, not encrypted." required:"" placeholder:"FILE"`
	Chain string `help:"The certificates that lead to its root, PEM, the issuer of the server's first." placeholder:"FILE"`
	ARN   string `name:"certificate-arn" help:"Renew the certificate with this ARN: names and signature algorithm must stay the same." placeholder:"ARN"`
}

// Help is the example that `gatehouse domain import-certificate --help` ends with.
func (c *domainImportCmd) Help() string {
	return `Examples:

  gatehouse domain import-certificate --cert fullchain.pem --key privkey.pem
  aws iot create-domain-configuration --domain-configuration-name fleet --domain-name iot.example.com \
    --server-certificate-arns "$(gatehouse domain import-certificate --cert cert.pem --key key.pem)"
  gatehouse domain import-certificate --certificate-arn ARN --cert new.pem --key new.key

A certificate is for at most four names, with an RSA key of 2048 bits or an ECDSA key on P-256, and serverAuth
among its extended key usages. A renewal is served at once, without a restart.`
}

func (c *domainImportCmd) Run(a *app) error {
	read := func(path string) (string, error) {
		if path == "" {
			return "", nil
		}
		b, err := os.ReadFile(path)
		return string(b), err
	}
	in := server.CertificateImport{CertificateARN: c.ARN}
	var err error
	if in.Certificate, err = read(c.Cert); err != nil {
		return fmt.Errorf("--cert: %w", err)
	}
	if in.PrivateKey, err = read(c.Key); err != nil {
		return fmt.Errorf("--key: %w", err)
	}
	if in.Chain, err = read(c.Chain); err != nil {
		return fmt.Errorf("--chain: %w", err)
	}
	const end = "-----END CERTIFICATE-----"
	if own, rest, ok := strings.Cut(in.Certificate, end); ok && in.Chain == "" && strings.TrimSpace(rest) != "" { // a full chain
		in.Certificate, in.Chain = own+end+"\n", rest
	}
	gw, err := c.connect(a.Ctx)
	if err != nil {
		return err
	}
	body, err := json.Marshal(in)
	if err != nil {
		return err
	}
	raw, err := gw.do(a.Ctx, http.MethodPost, server.ServerCertificatesPath, body)
	if err != nil {
		return err
	}
	var out server.ImportedCertificate
	if err := json.Unmarshal(raw, &out); err != nil {
		return fmt.Errorf("answer of the server: %w", err)
	}
	if a.Output == "json" {
		return json.NewEncoder(a.Stdout).Encode(out)
	}
	fmt.Fprintln(a.Stdout, out.CertificateARN)
	fmt.Fprintf(a.Stderr, "serves %s until %s\n", strings.Join(out.Names, ", "), out.NotAfter.UTC().Format(time.RFC3339))
	return nil
}
