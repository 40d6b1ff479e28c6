package e2e

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/iot"

	"github.com/gatehouse-iot/gatehouse/test/gatehouseproc"
)

// A data folder keeps its account and Region: another flag is refused, and
// everything is there when the right one comes back.
func TestUpForAnotherAccount(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	gw := gatehouseproc.StartIn(t, dir, "--account-id", "111122223333", "--region", "eu-west-1")
	d := gw.AddDevice(t, "home-1")
	gw.Stop()
	for _, tt := range []struct{ flags, want []string }{
		{[]string{"--region", "eu-west-1"}, []string{dir, "111122223333", "--account-id is 123456789012"}},
		{[]string{"--account-id", "111122223333"}, []string{dir, "eu-west-1", "--region is us-east-1"}},
	} {
		out := upFails(t, append(append(freePorts(), "--data-dir", dir), tt.flags...)...)
		for _, want := range tt.want {
			if !strings.Contains(out, want) {
				t.Errorf("gatehouse up %v printed\n%s\nwant it to say %q", tt.flags, out, want)
			}
		}
	}
	gw = gatehouseproc.StartIn(t, dir, "--account-id", "111122223333", "--region", "eu-west-1")
	c, err := gw.IoT().DescribeCertificate(t.Context(), &iot.DescribeCertificateInput{CertificateId: &d.CertificateID})
	if err != nil || *c.CertificateDescription.CertificateArn != d.CertificateARN || !strings.HasPrefix(d.CertificateARN, "arn:aws:iot:eu-west-1:111122223333:cert/") {
		t.Errorf("the certificate after the refusals: %+v, %v, want %s", c, err, d.CertificateARN)
	}
}
