package refusals

import (
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/iot"
	"github.com/aws/aws-sdk-go-v2/service/iot/types"

	"github.com/gatehouse-iot/gatehouse/test/rawmqtt"
)

// must returns v, or panics with err: for what is made before a test runs.
func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

const accepted = "CONNACK 0x00, open"

// certificateRows is group D: client certificate and key.
var certificateRows = []refusal{
	{
		id: "D-01", does: "presents a certificate that was never activated",
		setup: func(d *device) { d.issued(false); d.allow("iot:* *") },
		sees:  alert("46 certificate_unknown"), code: "cert.inactive", proof: map[string]string{"status": "INACTIVE"},
		fix: "aws iot update-certificate --certificate-id $cert --new-status ACTIVE", after: accepted,
	},
	{
		id: "D-02", does: "presents a certificate that was revoked meanwhile",
		setup: func(d *device) { d.issued(true); d.allow("iot:* *"); d.status(types.CertificateStatusRevoked) },
		sees:  alert("46 certificate_unknown"), code: "cert.revoked", proof: map[string]string{"status": "REVOKED", "changed": "~s"},
		fix: "aws iot update-certificate --certificate-id $cert --new-status ACTIVE", after: accepted,
	},
	{
		id: "D-01/no-policy", does: "presents an inactive certificate that has no policy either",
		setup: func(d *device) { d.issued(false) },
		sees:  alert("46 certificate_unknown"), code: "cert.inactive", also: []string{"policy.none_attached"},
	},
	{
		id: "D-01/after-connect", does: "presents an inactive certificate where certificates are refused after CONNECT", mode: &helpful,
		setup: func(d *device) { d.issued(false); d.allow("iot:* *") },
		sees:  silent, code: "cert.inactive", proof: map[string]string{"status": "INACTIVE"},
		fix: "aws iot update-certificate --certificate-id $cert --new-status ACTIVE",
	},
	{
		id: "D-05", does: "sends no certificate", setup: func(*device) {},
		sees: byTLS("alert 40 handshake_failure in the handshake, then FIN", "alert 116 certificate_required (encrypted), then FIN"),
		code: "cert.none_sent", says: "Port $mqtt_port",
	},
	{
		id: "D-07", does: "signs with a key that is not its certificate's",
		act: over(func(d *device, o *rawmqtt.Options) {
			o.Certificate = &tls.Certificate{Certificate: d.cert.Certificate, PrivateKey: otherKey}
		}),
		sees: byTLS("alert 51 decrypt_error in the handshake, then FIN", "alert 51 decrypt_error (encrypted), then FIN"),
		code: "cert.key_mismatch", says: "$cert",
		fix: "openssl x509 -noout -pubkey -in $cert-certificate.pem.crt | openssl sha256\nopenssl pkey -pubout -in $cert-private.pem.key | openssl sha256",
	},
	{
		id: "D-22", does: "presents a rotated certificate to which nobody attached the policies",
		setup: func(d *device) {
			d.issued(true)
			d.allow("iot:* *")
			d.thing(true)
			d.vars["old"] = d.vars["cert"]
			d.issued(true)
			name, arn := d.name, d.vars["certarn"]
			_, err := d.gw.iot.AttachThingPrincipal(d.ctx(), &iot.AttachThingPrincipalInput{ThingName: &name, Principal: &arn})
			d.must(err)
		},
		sees: denied, code: "policy.none_attached", says: "The certificate $old that it replaced had $policy.",
		fix: "aws iot attach-policy --policy-name $policy --target $certarn", after: accepted,
	},
	{
		id: "D-23", does: "presents a re-issued certificate with the subject of a registered one",
		setup: func(d *device) {
			d.signed(nil, nil)
			d.register()
			d.allow("iot:* *")
			d.vars["twin"] = d.vars["cert"]
			d.signed(nil, nil)
		},
		sees: alert("46 certificate_unknown"), code: "cert.not_registered", proof: map[string]string{"subject": "CN=$client"}, says: "Certificate $twin is registered with the same subject",
		fix:   "aws iot register-certificate-without-ca --status ACTIVE --certificate-pem \"$$(gatehouse explain --trace $trace --certificate)\"\naws iot attach-policy --policy-name $policy --target $certarn",
		after: accepted,
	},
	{
		id: "D/not-registered", does: "presents a certificate that nobody registered",
		setup: func(d *device) { d.signed(nil, nil) },
		sees:  alert("46 certificate_unknown"), code: "cert.not_registered", proof: map[string]string{"subject": "CN=$client", "issuer": "CN=$client"},
		fix:   "aws iot register-certificate-without-ca --status ACTIVE --certificate-pem \"$$(gatehouse explain --trace $trace --certificate)\"",
		after: denied.v311, // it is known then, and has no policy
	},
	{
		id: "D/not-registered/after-connect", does: "presents an unknown certificate where certificates are refused after CONNECT", mode: &helpful,
		setup: func(d *device) { d.signed(nil, nil) },
		sees:  silent, code: "cert.not_registered", proof: map[string]string{"subject": "CN=$client"},
	},
	{
		id: "D/deleted", does: "presents a certificate that was deleted",
		setup: func(d *device) {
			d.issued(false)
			id := d.vars["cert"]
			_, err := d.gw.iot.DeleteCertificate(d.ctx(), &iot.DeleteCertificateInput{CertificateId: &id})
			d.must(err)
		},
		sees: alert("46 certificate_unknown"), code: "cert.not_registered", says: "It was, and was deleted at 20",
	},
	{
		id: "D-17", does: "sends its certificate alone, signed by a registered CA that registers automatically",
		setup: func(d *device) { d.signed(d.newCA(true, true), nil) },
		sees:  alert("46 certificate_unknown"), code: "cert.not_registered", also: []string{"cert.registered_ca.not_in_chain"}, proof: map[string]string{"issuer": "CN=$client CA"},
	},
	{
		id: "D-20", does: "presents a certificate of a registered CA that does not register automatically",
		setup: func(d *device) { d.signed(d.newCA(true, false), nil) },
		sees:  alert("46 certificate_unknown"), code: "cert.not_registered", also: []string{"cert.registered_ca"},
	},
	{
		id: "D/ca-inactive", does: "presents a certificate of a CA that is registered and not active",
		setup: func(d *device) { d.signed(d.newCA(false, false), nil) },
		sees:  alert("46 certificate_unknown"), code: "cert.not_registered", also: []string{"cert.registered_ca.inactive"},
	},
	{
		id: "D/ca-presented", does: "presents the CA's certificate instead of its own",
		setup: func(d *device) { ca := d.newCA(true, false); d.own(ca.cert.Raw, ca.key) },
		sees:  alert("46 certificate_unknown"), code: "cert.registered_ca.presented", refused: "cert.not_registered", proof: map[string]string{"subject": "CN=$client CA"},
	},
	{
		id: "D/expired", does: "presents a registered certificate that has expired",
		setup: func(d *device) {
			d.signed(nil, func(c *x509.Certificate) { c.NotAfter = time.Now().Add(-time.Minute) })
			d.register()
			d.allow("iot:* *")
		},
		sees: alert("45 certificate_expired"), code: "cert.expired", proof: map[string]string{"not_after": "~Z", "now": "~Z"}, says: "$cert",
	},
	{
		id: "D/not-yet-valid", does: "presents a certificate from a signer whose clock is ahead",
		setup: func(d *device) {
			d.signed(nil, func(c *x509.Certificate) { c.NotBefore = time.Now().Add(time.Hour) })
			d.register()
			d.allow("iot:* *")
		},
		sees: alert("45 certificate_expired"), code: "cert.not_yet_valid", proof: map[string]string{"not_before": "~Z", "now": "~Z"},
	},
	{
		id: "D/expired-unknown", does: "presents a certificate that has expired and that nobody registered",
		setup: func(d *device) {
			d.signed(nil, func(c *x509.Certificate) { c.NotAfter = time.Now().Add(-time.Minute) })
		},
		sees: alert("45 certificate_expired"), code: "cert.expired", also: []string{"cert.not_registered"},
	},
	{
		id: "D/rsa-1024", does: "presents a certificate with an RSA key of 1024 bits",
		setup: func(d *device) { d.foreignKey(smallRSA) },
		sees:  alert("43 unsupported_certificate"), code: "cert.algorithm", also: []string{"cert.not_registered"},
		proof: map[string]string{"algorithm": "RSA 1024", "required": "~RSA with at least 2048 bits"},
	},
	{
		id: "D/ed25519", does: "presents a certificate with an Ed25519 key",
		setup: func(d *device) { d.foreignKey(edKey) },
		sees:  alert("43 unsupported_certificate"), code: "cert.algorithm", proof: map[string]string{"algorithm": "Ed25519"},
	},
	{
		id: "D/malformed", does: "sends bytes that are no certificate",
		act: over(func(_ *device, o *rawmqtt.Options) {
			o.Certificate = &tls.Certificate{Certificate: [][]byte{{0x30, 0x03, 0x02, 0x01, 0x01}}, PrivateKey: deviceKey}
		}),
		sees: byTLS("alert 42 bad_certificate in the handshake, then FIN", "alert 50 decode_error (encrypted), then FIN"),
		code: "cert.malformed", proof: map[string]string{"reason": "~x509"},
	},
}

var (
	smallRSA = must(rsa.GenerateKey(rand.Reader, 1024))
	edKey    = ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize))
)

// foreignKey gives the device a certificate of its own making for another kind of key.
func (d *device) foreignKey(key crypto.Signer) {
	d.t.Helper()
	d.signed(nil, nil) // a template
	template, err := x509.ParseCertificate(d.cert.Certificate[0])
	d.must(err)
	template.SignatureAlgorithm, template.PublicKey = 0, nil
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	d.must(err)
	d.own(der, key)
}
