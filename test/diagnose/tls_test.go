package diagnose

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net/netip"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/iot"
	"github.com/aws/aws-sdk-go-v2/service/iot/types"

	"github.com/gatehouse-iot/gatehouse/internal/diagnose"
	"github.com/gatehouse-iot/gatehouse/internal/diagnose/faultserver"
	"github.com/gatehouse-iot/gatehouse/test/gatehouseproc"
)

var (
	deviceAndGateway = []diagnose.Side{diagnose.SideDevice, diagnose.SideGateway}
	alpnPort         = func(d *device) { d.set("--port", itoa(d.gw.Ports.ALPN)) }
)

// with sets flags; a switch has the value "".
func with(flags ...string) func(*device) {
	return func(d *device) {
		for i := 0; i+1 < len(flags); i += 2 {
			d.set(flags[i], flags[i+1])
		}
	}
}

// withoutCA gives the device a certificate that was registered without a CA.
func withoutCA(d *device) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	d.must(err)
	template := &x509.Certificate{SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: d.ThingName}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	d.must(err)
	private, err := x509.MarshalPKCS8PrivateKey(key)
	d.must(err)
	text := string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
	d.set("--cert", d.file("own.crt", []byte(text)))
	d.set("--key", d.file("own.key", pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private})))
	out, err := d.gw.IoT().RegisterCertificateWithoutCA(d.t.Context(), &iot.RegisterCertificateWithoutCAInput{CertificatePem: &text, Status: types.CertificateStatusActive})
	d.must(err)
	_, err = d.gw.IoT().AttachPolicy(d.t.Context(), &iot.AttachPolicyInput{PolicyName: &d.PolicyName, Target: out.CertificateArn})
	d.must(err)
	d.vars["cert"] = *out.CertificateId
}

// tlsRows is group C: version, ALPN, server name, port. That of the server's
// side alone is in test/refusals.
var tlsRows = []row{
	{
		id: "C-07", change: alpnPort, code: "tls.alpn.missing_on_443", says: []string{"x-amzn-mqtt-ca"}, fix: "--tls-alpn x-amzn-mqtt-ca", sides: deviceAndGateway, shows: true,
	},
	{
		id: "C-08", change: then(alpnPort, with("--alpn", "http/1.1")), code: "tls.alpn.missing_on_443", says: []string{"http/1.1", "x-amzn-mqtt-ca"}, fix: "--tls-alpn x-amzn-mqtt-ca", sides: deviceAndGateway, shows: true,
	},
	{
		id: "C-10", change: then(alpnPort, (*device).detach), code: "tls.alpn.missing_on_443", also: []string{"policy.none_attached"},
		says: []string{"x-amzn-mqtt-ca"}, fix: "--tls-alpn x-amzn-mqtt-ca", sides: deviceAndGateway,
	},
	{
		id: "C-11", change: then(alpnPort, with("--alpn", "none")), code: "tls.alpn.missing_on_443", says: []string{"none", "x-amzn-mqtt-ca"}, fix: "--tls-alpn x-amzn-mqtt-ca", sides: deviceAndGateway, shows: true,
	},
	{
		id: "C/alpn-of-authorizers", change: then(alpnPort, with("--alpn", "mqtt")), code: "authorizer.not_selected", says: []string{"no parameters"}, fix: "aws iot list-authorizers", sides: deviceAndGateway,
	},
	{
		id: "C-13", change: then(withoutCA, with("--no-sni", "")), code: "tls.sni.required_for_cert", says: []string{"no server name", "$endpoint"}, fix: "-servername $endpoint", sides: deviceAndGateway,
	},
	{
		id: "C-14", change: then(withoutCA, with("--no-sni", "", "--tls-version", "1.2")), code: "tls.sni.required_for_cert", says: []string{"no server name", "$endpoint"}, fix: "-servername $endpoint", sides: deviceAndGateway,
	},
	{
		id: "C/sni-wrong", change: with("--sni", "gw.exampel.com"), code: "tls.sni.unknown", says: []string{"gw.exampel.com"}, fix: "aws iot describe-endpoint", sides: deviceAndGateway, shows: true,
	},
	{
		id: "C/https-port", change: func(d *device) { d.set("--port", itoa(d.gw.Ports.HTTPS)) }, code: "protocol.mqtt_on_http_listener", says: []string{"$client"}, fix: "mosquitto_pub", sides: deviceAndGateway, shows: true,
	},
	{
		id: "C/http-alpn", change: then(alpnPort, with("--alpn", "x-amzn-http-ca")), code: "protocol.mqtt_on_http_listener", says: []string{"$client"}, fix: "mosquitto_pub", sides: deviceAndGateway, shows: true,
	},
}

func TestTLSRows(t *testing.T) {
	gatehouseproc.Need(t, "mosquitto_pub")
	walk(t, gatehouseproc.Start(t, "--limits", "open"), tlsRows)
}

// versionRows are devices that speak TLS 1.2 alone, whatever their library.
var versionRows = []row{
	{
		id: "C-01", change: with("--tls-version", "1.2"), code: "tls.version.below_policy", says: []string{"TLS 1.2", "TLS 1.3", "IoTSecurityPolicy_TLS13_1_3_2022_10"}, sides: deviceAndGateway,
	},
	{
		id: "C-01/both", change: func(d *device) { d.drop("--mqtt-version") }, code: "tls.version.below_policy", says: []string{"TLS 1.2", "TLS 1.3"}, sides: byDevice, warns: true,
	},
}

func TestVersionRows(t *testing.T) {
	walk(t, gatehouseproc.Start(t, "--limits", "open", "--security-policy", "IoTSecurityPolicy_TLS13_1_3_2022_10"), versionRows)
}

// at points the device to a server that misbehaves so, whose CA it trusts.
func at(fault string) func(*device) {
	return func(d *device) {
		f, err := faultserver.Lookup(fault)
		d.must(err)
		s, err := faultserver.Start("127.0.0.1", "localhost")
		d.must(err)
		d.t.Cleanup(s.Stop)
		addr, err := s.Listen(d.t.Context(), f, 0)
		d.must(err)
		d.set("--port", itoa(int(netip.MustParseAddrPort(addr.String()).Port())))
		d.set("--ca", d.file("root.pem", s.CA()))
		d.set("--no-inspect", "")
	}
}

// serverRows are servers that misbehave, in the place of AWS IoT Core or of a
// Greengrass core: the device's side alone can tell.
var serverRows = []row{
	{id: "B-02", change: then(at("none"), func(d *device) { d.set("--ca", d.file("root.pem", otherCA(d))) }), code: "tls.server_cert.untrusted_by_client", says: []string{"VeriSign Class 3", "Gatehouse fault server root"}, fix: "openssl s_client", sides: byDevice},
	{id: "B-04", change: then(at("none"), func(d *device) { d.set("--ca", d.file("root.pem", append(otherCA(d), otherCA(d)...))) }), code: "tls.server_cert.untrusted_by_client", says: []string{"VeriSign Class 3", "Gatehouse fault server root"}, fix: "openssl s_client", sides: byDevice},
	{id: "B-05", change: at("cert-cross-signed"), code: "tls.server_cert.cross_sign", says: []string{"older root"}, fix: "-showcerts", sides: byDevice, warns: true},
	{id: "B-08", change: at("cert-wrong-name"), code: "tls.server_cert.name_mismatch", says: []string{"localhost", "other."}, fix: "subjectAltName", sides: byDevice},
	{id: "B-16", change: then(at("slow"), with("--timeout", "2s")), code: "net.slow_handshake", says: []string{"2s"}, sides: byDevice, warns: true},
	{id: "B-17", change: at("hello-reset"), code: "net.reset_after_clienthello", says: []string{"reset"}, sides: byDevice},
	{id: "B-19", change: at("cert-unknown-ca"), code: "tls.server_cert.untrusted_by_client", says: []string{"Gatehouse fault server root"}, fix: "openssl s_client", sides: byDevice},
	{id: "B-20", change: then(at("cert-self-signed"), with("--no-sni", "")), code: "tls.server_cert.untrusted_by_client", says: []string{"CN=localhost", "Gatehouse fault server root"}, fix: "openssl s_client", sides: byDevice},
	{id: "B/expired", change: at("cert-expired"), code: "tls.server_cert.expired_for_client", sides: byDevice},
	{id: "H-14", change: then(at("publish-late"), with("--publish", "a/b", "--timeout", "4s")), code: "client.timeout_short", says: []string{"7", "4s"}, sides: byDevice, warns: true},
	{id: "K-11", change: then(at("cert-unknown-ca"), with("--tls-version", "1.2")), code: "tls.server_cert.untrusted_by_client", says: []string{"Gatehouse fault server root"}, fix: "openssl s_client", sides: byDevice},
	{id: "E/connect-rate", change: then(at("connack-0x97"), with("--mqtt-version", "5")), code: "limit.connect_rate.client_id", says: []string{"$client", "1 a second", "0x97"}, sides: byDevice},
}

func TestServerRows(t *testing.T) { walk(t, gatehouseproc.Start(t), serverRows) }
