package refusals

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"net/url"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/iot"
	"github.com/aws/aws-sdk-go-v2/service/iot/types"

	"github.com/gatehouse-iot/gatehouse/internal/attempt"
	"github.com/gatehouse-iot/gatehouse/internal/layout"
	"github.com/gatehouse-iot/gatehouse/mqtt"
	"github.com/gatehouse-iot/gatehouse/test/rawmqtt"
)

// A device is one device in one case: its name, its certificate, and an address
// of its own, by which its attempts are found also when it is refused before it
// could say who it is.
type device struct {
	t       *testing.T
	gw      *gateway
	name    string // client ID and, where it has one, thing name
	from    string
	version uint16       // TLS
	mqtt    mqtt.Version // of its CONNECT

	cert   *tls.Certificate    // nil: it has none
	policy string              // the one that allow made
	hello5 func(*mqtt.Connect) // changes the CONNECT of its sessions; may be nil
	vars   map[string]string
}

var (
	devices atomic.Int64
	// deviceKey is the key of every device: what differs is the certificate.
	deviceKey = newKey()
	otherKey  = newKey()
)

func newKey() *ecdsa.PrivateKey {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	return key
}

// newDevice makes a device that has nothing yet.
func newDevice(t *testing.T, gw *gateway, id string, version uint16, v mqtt.Version) *device {
	t.Helper()
	n := devices.Add(1)
	d := &device{
		t: t, gw: gw, name: fmt.Sprintf("%s-%d", strings.ToLower(strings.ReplaceAll(id, "/", "-")), n), version: version, mqtt: v,
		from: fmt.Sprintf("127.%d.%d.%d", 10+n>>16, n>>8&255, n&255),
	}
	d.vars = map[string]string{
		"client": d.name, "thing": d.name, "account": gw.AccountID, "region": gw.Region, "endpoint": gw.Endpoint, "ca": gw.CAFile, "from": d.from,
		"mqtt_port": strconv.Itoa(gw.Ports.MQTT), "https_port": strconv.Itoa(gw.Ports.HTTPS), "alpn_port": strconv.Itoa(gw.Ports.ALPN),
	}
	return d
}

// fill replaces $name in text by what is known of the device, and $$ by $.
func (d *device) fill(text string) string {
	return os.Expand(text, func(name string) string {
		if v, ok := d.vars[name]; ok {
			return v
		}
		if name == "$" {
			return "$"
		}
		return "$" + name
	})
}

func (d *device) ctx() context.Context { return d.t.Context() }

func (d *device) must(err error) {
	d.t.Helper()
	if err != nil {
		d.t.Fatal(err)
	}
}

// own makes der the device's certificate.
func (d *device) own(der []byte, key crypto.Signer) {
	sum := sha256.Sum256(der)
	d.cert = &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
	d.vars["cert"] = hex.EncodeToString(sum[:])
	d.vars["certarn"] = "arn:aws:iot:" + d.gw.Region + ":" + d.gw.AccountID + ":cert/" + d.vars["cert"]
}

// issued gives the device a certificate that the service issues for a CSR.
func (d *device) issued(active bool) {
	d.t.Helper()
	der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{Subject: pkix.Name{CommonName: d.name}}, deviceKey)
	d.must(err)
	csr := string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: der}))
	out, err := d.gw.iot.CreateCertificateFromCsr(d.ctx(), &iot.CreateCertificateFromCsrInput{CertificateSigningRequest: &csr, SetAsActive: active})
	d.must(err)
	block, _ := pem.Decode([]byte(*out.CertificatePem))
	d.own(block.Bytes, deviceKey)
	if d.vars["certarn"] != *out.CertificateArn {
		d.t.Fatalf("certificate ARN %s, want %s", *out.CertificateArn, d.vars["certarn"])
	}
}

// A signer signs certificates of devices.
type signer struct {
	cert *x509.Certificate
	key  crypto.Signer
}

// signed gives the device a certificate of its own making; ca nil signs it with
// its own key. change may change the template.
func (d *device) signed(ca *signer, change func(*x509.Certificate)) {
	d.t.Helper()
	serial, err := rand.Int(rand.Reader, big.NewInt(1<<62))
	d.must(err)
	template := &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: d.name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
	}
	if change != nil {
		change(template)
	}
	parent, parentKey := template, crypto.Signer(deviceKey)
	if ca != nil {
		parent, parentKey = ca.cert, ca.key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, deviceKey.Public(), parentKey)
	d.must(err)
	d.own(der, deviceKey)
}

// pem is the device's certificate as a file has it.
func (d *device) pem() string {
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: d.cert.Certificate[0]}))
}

// register registers the device's certificate without a CA: its mode is SNI_ONLY.
func (d *device) register() {
	d.t.Helper()
	text := d.pem()
	_, err := d.gw.iot.RegisterCertificateWithoutCA(d.ctx(), &iot.RegisterCertificateWithoutCAInput{CertificatePem: &text, Status: types.CertificateStatusActive})
	d.must(err)
}

// status sets the status of the device's certificate.
func (d *device) status(s types.CertificateStatus) {
	d.t.Helper()
	id := d.vars["cert"]
	_, err := d.gw.iot.UpdateCertificate(d.ctx(), &iot.UpdateCertificateInput{CertificateId: &id, NewStatus: s})
	d.must(err)
}

// newCA makes a CA of our own and registers it.
func (d *device) newCA(active, autoRegister bool) *signer {
	d.t.Helper()
	key := newKey()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: d.name + " CA"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour), KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	d.must(err)
	cert, err := x509.ParseCertificate(der)
	d.must(err)
	text := string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
	out, err := d.gw.iot.RegisterCACertificate(d.ctx(), &iot.RegisterCACertificateInput{
		CaCertificate: &text, CertificateMode: types.CertificateModeSniOnly, SetAsActive: active, AllowAutoRegistration: autoRegister,
	})
	d.must(err)
	d.vars["caid"] = *out.CertificateId
	return &signer{cert, key}
}

// document writes statements as a policy. One is "[Deny ]ACTION RESOURCE...", the
// resources without the begin of their ARN; "*" is all.
func (d *device) document(statements ...string) string {
	type statement struct {
		Effect   string
		Action   string
		Resource []string
	}
	doc := struct {
		Version   string
		Statement []statement
	}{Version: "2012-10-17"}
	for _, text := range statements {
		s := statement{Effect: "Allow"}
		words := strings.Fields(text)
		if words[0] == "Deny" {
			s.Effect, words = "Deny", words[1:]
		}
		s.Action = words[0]
		for _, r := range words[1:] {
			r = strings.ReplaceAll(r, "CLIENT", d.name)
			if r != "*" && !strings.HasPrefix(r, "arn:") {
				r = "arn:aws:iot:" + d.gw.Region + ":" + d.gw.AccountID + ":" + r
			}
			s.Resource = append(s.Resource, r)
		}
		doc.Statement = append(doc.Statement, s)
	}
	b, err := json.Marshal(doc)
	d.must(err)
	return string(b)
}

// allow makes a policy of the statements and attaches it to the certificate.
func (d *device) allow(statements ...string) { d.t.Helper(); d.grant(d.document(statements...)) }

// grant is allow with a whole document.
func (d *device) grant(document string) {
	d.t.Helper()
	d.policy = fmt.Sprintf("%s-policy", d.name)
	d.vars["policy"] = d.policy
	_, err := d.gw.iot.CreatePolicy(d.ctx(), &iot.CreatePolicyInput{PolicyName: &d.policy, PolicyDocument: &document})
	d.must(err)
	d.attach()
}

func (d *device) attach() {
	d.t.Helper()
	arn := d.vars["certarn"]
	_, err := d.gw.iot.AttachPolicy(d.ctx(), &iot.AttachPolicyInput{PolicyName: &d.policy, Target: &arn})
	d.must(err)
}

// thing makes the thing of the device's name and, if attached, attaches the certificate.
func (d *device) thing(attached bool) {
	d.t.Helper()
	_, err := d.gw.iot.CreateThing(d.ctx(), &iot.CreateThingInput{ThingName: &d.name})
	d.must(err)
	if arn := d.vars["certarn"]; attached {
		_, err = d.gw.iot.AttachThingPrincipal(d.ctx(), &iot.AttachThingPrincipalInput{ThingName: &d.name, Principal: &arn})
		d.must(err)
	}
}

// twin is another device in the same case, which may do everything.
func (d *device) twin(name string) *device {
	d.t.Helper()
	other := newDevice(d.t, d.gw, "other", tls.VersionTLS13, d.mqtt)
	other.issued(true)
	other.allow("iot:* *")
	if name != "" {
		other.name = name
	}
	d.vars["other_from"], d.vars["other_cert"] = other.from, other.vars["cert"]
	return other
}

// options say how the device dials the MQTT port.
func (d *device) options() rawmqtt.Options {
	return rawmqtt.Options{
		Addr: net.JoinHostPort("127.0.0.1", strconv.Itoa(d.gw.Ports.MQTT)), From: d.from, ServerName: d.gw.Endpoint,
		TLS: d.version, Certificate: d.cert, MQTT: d.mqtt, Timeout: patience,
	}
}

// hello is the device's CONNECT.
func (d *device) hello() *mqtt.Connect {
	p := &mqtt.Connect{ProtocolName: []byte("MQTT"), Version: d.mqtt, CleanStart: true, KeepAlive: 60, ClientID: []byte(d.name)}
	if d.hello5 != nil {
		d.hello5(p)
	}
	return p
}

// encode returns the bytes of packets, one after the other.
func (d *device) encode(packets ...mqtt.Packet) []byte {
	d.t.Helper()
	var b []byte
	var err error
	for _, p := range packets {
		b, err = p.Append(b, d.mqtt)
		d.must(err)
	}
	return b
}

// patience is how long a device waits for the server, and a test for a record:
// only what goes wrong takes so long.
const patience = 20 * time.Second

// try dials as o says, sends bytes and returns how it ended; when the server
// answers a PINGREQ that is sent last, it is open.
func (d *device) try(o rawmqtt.Options, send ...byte) rawmqtt.End {
	d.t.Helper()
	c, end := d.dial(o)
	if end != nil {
		return *end
	}
	_ = c.Send(send) // how the server ended it is what counts
	return d.finish(c)
}

func (d *device) dial(o rawmqtt.Options) (*rawmqtt.Client, *rawmqtt.End) {
	d.t.Helper()
	c, end, err := rawmqtt.Dial(d.ctx(), o)
	if errors.Is(err, syscall.EADDRNOTAVAIL) {
		d.t.Skipf("SKIPPED: this system has no loopback address %s: run these tests on Linux", d.from)
	}
	d.must(err)
	return c, end
}

// open is what a connection is that answered our PINGREQ.
const open rawmqtt.Kind = "open"

var pingreq = []byte{0xC0, 0}

// finish sends PINGREQ and reads until its answer or the end. It ends the connection.
func (d *device) finish(c *rawmqtt.Client) rawmqtt.End { return d.finishAcked(c, 0) }

// diskTime is how long a PUBACK may come after the answer to a PINGREQ: it waits for the disk.
const diskTime = 2 * time.Second

// finishAcked is finish for a device that still waits for so many PUBACKs then.
func (d *device) finishAcked(c *rawmqtt.Client, acks int) rawmqtt.End {
	_ = c.Send(pingreq) // fails when the server has closed
	defer func() { _ = c.Reset() }()
	var packets []mqtt.Packet
	wait, pong := patience, false
	for {
		p, end := c.Next(wait)
		switch p.(type) {
		case nil:
			if pong {
				return rawmqtt.End{Kind: open, Packets: packets}
			}
			end.Packets = packets
			return *end
		case *mqtt.Pingresp:
			wait, pong = diskTime, true
		case *mqtt.Puback:
			acks--
			packets = append(packets, p)
		default:
			packets = append(packets, p)
		}
		if pong && acks <= 0 {
			return rawmqtt.End{Kind: open, Packets: packets}
		}
	}
}

// connect sends the CONNECT, changed by change if it is not nil.
func (d *device) connect(change func(*mqtt.Connect)) rawmqtt.End {
	d.t.Helper()
	p := d.hello()
	if change != nil {
		change(p)
	}
	return d.try(d.options(), d.encode(p)...)
}

// session is a connection that is accepted.
func (d *device) session() *rawmqtt.Client {
	d.t.Helper()
	c, end := d.dial(d.options())
	if end != nil {
		d.t.Fatalf("%s can't connect: %s", d.name, end)
	}
	d.must(c.SendPacket(d.hello()))
	p, end := c.Next(patience)
	if ack, ok := p.(*mqtt.Connack); !ok || ack.Reason != 0 {
		d.t.Fatalf("%s can't connect: %v %v", d.name, p, end)
	}
	return c
}

// send opens a session, sends packets in one write and returns how it ended.
func (d *device) send(packets ...mqtt.Packet) rawmqtt.End {
	d.t.Helper()
	c := d.session()
	_ = c.Send(d.encode(packets...))
	acks := 0
	for _, p := range packets {
		if m, ok := p.(*mqtt.Publish); ok && m.QoS == 1 {
			acks++
		}
	}
	return d.finishAcked(c, acks)
}

// publish is a PUBLISH of "x" with packet identifier 1.
func publish(topic string, qos mqtt.QoS) *mqtt.Publish {
	p := &mqtt.Publish{Topic: []byte(topic), QoS: qos, Payload: []byte("x")}
	if qos > 0 {
		p.PacketID = 1
	}
	return p
}

// subscribe is a SUBSCRIBE to filters at QoS 1.
func subscribe(filters ...string) *mqtt.Subscribe {
	p := &mqtt.Subscribe{PacketID: 7}
	for _, f := range filters {
		p.Filters = append(p.Filters, mqtt.Subscription{Filter: []byte(f), QoS: 1})
	}
	return p
}

// record waits for the ended attempt of this device in which a check with that
// code did not pass.
func (d *device) record(code string) attempt.Detail {
	d.t.Helper()
	filter := url.Values{"sourceIp": {d.from}, "code": {code}}
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		list, err := d.gw.attempts(d.ctx(), filter)
		d.must(err)
		if len(list) > 0 && !list[0].Ended.IsZero() {
			got, err := d.gw.explained(d.ctx(), list[0].ID)
			d.must(err)
			return got
		}
	}
	list, err := d.gw.attempts(d.ctx(), url.Values{"sourceIp": {d.from}})
	d.must(err)
	var b strings.Builder
	for _, a := range list {
		got, err := d.gw.explained(d.ctx(), a.ID)
		d.must(err)
		b.WriteString(text(got))
	}
	d.t.Fatalf("no ended attempt from %s has the code %s. What is there:\n%s", d.from, code, b.String())
	panic("unreachable")
}

// text is an explanation as people read it.
func text(got attempt.Detail) string {
	var b strings.Builder
	if err := got.Text(&b, layout.Paint{}); err != nil {
		return err.Error()
	}
	return b.String()
}
