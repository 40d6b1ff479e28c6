package refusals

import (
	"net/url"
	"slices"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/iot"
	"github.com/aws/aws-sdk-go-v2/service/iot/types"

	"github.com/gatehouse-iot/gatehouse/internal/attempt"
	"github.com/gatehouse-iot/gatehouse/test/rawmqtt"
)

// inBoth is a device at a host name of the type CUSTOM_AUTH_X509; certify gives it its certificate.
func inBoth(certify func(*device)) func(*device) {
	return func(d *device) {
		certify(d)
		authorized(d)
		d.domain(func(in *iot.CreateDomainConfigurationInput) {
			in.AuthenticationType = types.AuthenticationTypeCustomAuthX509
		})
	}
}

// byBoth connects with the device's certificate, and a password for its authorizer.
func byBoth(password string) func(*device) rawmqtt.End {
	return func(d *device) rawmqtt.End { return d.connectTo(d.vars["host"], nil, "bob", password) }
}

// bothRows are devices of CUSTOM_AUTH_X509: the certificate counts, and then the
// authorizer too. Source: custom-auth sheet 12.
var bothRows = []refusal{
	{
		id: "J/x509-none", does: "sends no certificate where certificate and authorizer decide", setup: inBoth(func(*device) {}), act: byBoth("ok"),
		sees: byTLS("alert 40 handshake_failure in the handshake, then FIN", "alert 116 certificate_required (encrypted), then FIN"),
		code: "cert.none_sent",
	},
	{
		id: "J/x509-unknown", does: "presents an unknown certificate where certificate and authorizer decide",
		setup: inBoth(func(d *device) { d.signed(nil, nil) }), act: byBoth("ok"),
		sees: alert("46 certificate_unknown"), code: "cert.not_registered", proof: map[string]string{"subject": "CN=$client"},
		fix: "aws iot register-certificate-without-ca --status ACTIVE --certificate-pem \"$$(gatehouse explain --trace $trace --certificate)\"", after: accepted,
	},
	{
		id: "J/x509-inactive", does: "presents an inactive certificate where certificate and authorizer decide",
		setup: inBoth(func(d *device) { d.issued(false) }), act: byBoth("ok"),
		sees: alert("46 certificate_unknown"), code: "cert.inactive", proof: map[string]string{"status": "INACTIVE"},
		fix: "aws iot update-certificate --certificate-id $cert --new-status ACTIVE", after: accepted,
	},
	{
		id: "J/x509-revoked", does: "presents a revoked certificate where certificate and authorizer decide",
		setup: inBoth(func(d *device) { d.issued(true); d.status(types.CertificateStatusRevoked) }), act: byBoth("ok"),
		sees: alert("46 certificate_unknown"), code: "cert.revoked", proof: map[string]string{"status": "REVOKED"},
		fix: "aws iot update-certificate --certificate-id $cert --new-status ACTIVE", after: accepted,
	},
	{
		id: "J/x509-rejected", does: "presents a good certificate, and its authorizer rejects it", setup: inBoth(certified), act: byBoth("reject"),
		sees: denied, code: "authorizer.rejected",
	},
	{
		id: "J/x509-principal", does: "presents a good certificate, and its authorizer names another principal", setup: inBoth(certified), act: byBoth("somebody"),
		sees: denied, code: "authorizer.principal_mismatch", proof: map[string]string{"required": "$cert", "offered": `"Somebody"`, "json_path": "$$.principalId"},
	},
	{
		id: "J/x509-denied", does: "presents a certificate that may connect, and its authorizer returns a Deny", setup: inBoth(certified), act: byBoth("deny"),
		sees: denied, code: "policy.explicit_deny", says: "policyDocuments[0]",
	},
}

// TestCertificateAndAuthorizer lets devices in that both let in: whatever the
// certificate's policies and the returned documents allow together.
func TestCertificateAndAuthorizer(t *testing.T) {
	for name, certify := range map[string]func(*device){
		"policy of the certificate": certified,
		"returned document alone":   func(d *device) { d.issued(true) },
	} {
		for _, v := range denied.variants() {
			t.Run(name+", "+v.String(), func(t *testing.T) {
				t.Parallel()
				places <- struct{}{}
				defer func() { <-places }()
				d := newDevice(t, likeAWS.start(), "both", v.tls, v.mqtt)
				inBoth(certify)(d)
				if got := byBoth("ok")(d); got.String() != accepted {
					t.Fatalf("the device sees %s, want %s", got, accepted)
				}
				rec := d.latest()
				for _, code := range []string{"cert.active", "authorizer.selected", "authorizer.invoked", "authz.connect"} {
					if !slices.ContainsFunc(rec.Attempt.Steps, func(s attempt.Step) bool { return s.Check.Code == code && s.Outcome == attempt.Passed }) {
						t.Errorf("the record does not say that %s passed:\n%s", code, text(rec))
					}
				}
			})
		}
	}
}

// latest waits for the end of the device's only attempt.
func (d *device) latest() attempt.Detail {
	d.t.Helper()
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		list, err := d.gw.attempts(d.ctx(), url.Values{"sourceIp": {d.from}})
		d.must(err)
		if len(list) == 1 && !list[0].Ended.IsZero() {
			got, err := d.gw.explained(d.ctx(), list[0].ID)
			d.must(err)
			return got
		}
	}
	d.t.Fatalf("there is no single ended attempt from %s", d.from)
	panic("unreachable")
}
