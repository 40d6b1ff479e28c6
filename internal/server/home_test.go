package server

import (
	"strings"
	"testing"

	"github.com/gatehouse-iot/gatehouse/internal/pki"
	"github.com/gatehouse-iot/gatehouse/internal/registry"
)

func TestHomeErrorNamesTheFlags(t *testing.T) {
	for name, tt := range map[string]struct {
		err  registry.HomeError
		want []string
		not  string
	}{
		"account": {registry.HomeError{Account: "1", AskedAccount: "2", Region: "eu-west-1", AskedRegion: "eu-west-1"}, []string{"account 1", "--account-id is 2", "use --account-id 1", "--data-dir", "/data"}, "--region"},
		"Region":  {registry.HomeError{Account: "1", AskedAccount: "1", Region: "eu-west-1", AskedRegion: "us-east-1"}, []string{"Region eu-west-1", "--region is us-east-1", "use --region eu-west-1"}, "--account-id"},
		"both":    {registry.HomeError{Account: "1", AskedAccount: "2", Region: "eu-west-1", AskedRegion: "us-east-1"}, []string{"--account-id is 2", "--region is us-east-1"}, "open the registry"},
	} {
		t.Run(name, func(t *testing.T) {
			text := explainHome(&tt.err, "/data").Error()
			for _, want := range tt.want {
				if !strings.Contains(text, want) {
					t.Errorf("%q does not say %q", text, want)
				}
			}
			if strings.Contains(text, tt.not) {
				t.Errorf("%q says %q", text, tt.not)
			}
		})
	}
}

// The caller of the API is the account's root user, in the partition of its Region.
func TestCallerARN(t *testing.T) {
	for region, want := range map[string]string{
		"us-east-1":     "arn:aws:iam::123456789012:root",
		"cn-north-1":    "arn:aws-cn:iam::123456789012:root",
		"us-gov-west-1": "arn:aws-us-gov:iam::123456789012:root",
	} {
		dir := t.TempDir()
		ca, err := pki.Open(pki.Config{Dir: dir, Hosts: []string{"localhost"}})
		if err != nil {
			t.Fatal(err)
		}
		r, err := registry.Open(t.Context(), registry.Config{DataDir: dir, AccountID: "123456789012", Region: region, Endpoint: "localhost", Issuer: ca})
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		key, err := r.FirstAccessKey(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if c, ok, err := (credentials{r}).Lookup(t.Context(), key.ID); err != nil || !ok || c.ARN != want {
			t.Errorf("caller in %s: %q, %v, %v, want %q", region, c.ARN, ok, err, want)
		}
	}
}
