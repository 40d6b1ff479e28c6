package refusals

import (
	"archive/zip"
	"bytes"
	"context"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iot"
	"github.com/aws/aws-sdk-go-v2/service/iot/types"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	lambdatypes "github.com/aws/aws-sdk-go-v2/service/lambda/types"

	"github.com/gatehouse-iot/gatehouse/mqtt"
	"github.com/gatehouse-iot/gatehouse/test/rawmqtt"
)

// authorizerCode answers as the password of the CONNECT asks for.
const authorizerCode = `
const allow = (action) => ({ Version: "2012-10-17", Statement: [{ Effect: "Allow", Action: action, Resource: "*" }] });
export async function handler(event) {
  const password = Buffer.from(event.protocolData?.mqtt?.password ?? "", "base64").toString();
  const answer = { isAuthenticated: true, principalId: "Device1", policyDocuments: [allow("iot:*")], disconnectAfterInSeconds: 3600, refreshAfterInSeconds: 300 };
  switch (password) {
    case "throw": throw new TypeError("no such user");
    case "sleep": await new Promise((done) => setTimeout(done, 7000)); return answer;
    case "nothing": return null;
    case "reject": return { ...answer, isAuthenticated: false };
    case "text": return { ...answer, isAuthenticated: "true" };
    case "hyphen": return { ...answer, principalId: "device-1" };
    case "eleven": return { ...answer, policyDocuments: Array(11).fill(allow("iot:*")) };
    case "short": return { ...answer, refreshAfterInSeconds: 60 };
    case "publishonly": return { ...answer, policyDocuments: [allow("iot:Publish")] };
    case "empty": return { ...answer, policyDocuments: [] };
  }
  return answer;
}
`

var authorizerZip = sync.OnceValue(func() []byte {
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	w, err := z.Create("index.mjs")
	if err == nil {
		_, err = w.Write([]byte(authorizerCode))
	}
	if err == nil {
		err = z.Close()
	}
	if err != nil {
		panic(err)
	}
	return b.Bytes()
})

func (g *gateway) lambda() *lambda.Client {
	return lambda.New(lambda.Options{Region: g.Region, Credentials: g.keys, BaseEndpoint: &g.APIURL, RetryMaxAttempts: 1})
}

// function makes the device's own function, of its name.
func (d *device) function() {
	d.t.Helper()
	_, err := d.gw.lambda().CreateFunction(d.ctx(), &lambda.CreateFunctionInput{
		FunctionName: aws.String(d.functionName()), Runtime: lambdatypes.RuntimeNodejs20x, Handler: aws.String("index.handler"),
		Role: aws.String("arn:aws:iam::" + d.gw.AccountID + ":role/any"), Code: &lambdatypes.FunctionCode{ZipFile: authorizerZip()},
	})
	d.must(err)
}

func (d *device) functionName() string { return "f-" + d.name }

func (d *device) functionARN() string {
	return "arn:aws:lambda:" + d.gw.Region + ":" + d.gw.AccountID + ":function:" + d.functionName()
}

func (d *device) authorizerARN() string {
	return "arn:aws:iot:" + d.gw.Region + ":" + d.gw.AccountID + ":authorizer/" + d.name
}

// authorizer makes an authorizer of the device's name, changed by change.
func (d *device) authorizer(change func(*iot.CreateAuthorizerInput)) {
	d.t.Helper()
	in := &iot.CreateAuthorizerInput{
		AuthorizerName: &d.name, AuthorizerFunctionArn: aws.String(d.functionARN()), SigningDisabled: aws.Bool(true), Status: types.AuthorizerStatusActive,
	}
	if change != nil {
		change(in)
	}
	_, err := d.gw.iot.CreateAuthorizer(d.ctx(), in)
	d.must(err)
	d.t.Cleanup(func() { d.withdraw(*in.AuthorizerName) })
	d.vars["authorizer"], d.vars["function"], d.vars["authorizerarn"] = d.name, d.functionName(), d.authorizerARN()
}

// withdraw deletes an authorizer: an account has few active ones.
func (d *device) withdraw(name string) {
	ctx := context.Background()
	_, _ = d.gw.iot.ClearDefaultAuthorizer(ctx, &iot.ClearDefaultAuthorizerInput{}) // there may be none
	_, err := d.gw.iot.UpdateAuthorizer(ctx, &iot.UpdateAuthorizerInput{AuthorizerName: &name, Status: types.AuthorizerStatusInactive})
	d.must(err)
	_, err = d.gw.iot.DeleteAuthorizer(ctx, &iot.DeleteAuthorizerInput{AuthorizerName: &name})
	d.must(err)
}

// permit adds a statement to the function's resource policy.
func (d *device) permit(sourceARN, account, qualifier string) {
	d.t.Helper()
	in := &lambda.AddPermissionInput{
		FunctionName: aws.String(d.functionName()), StatementId: aws.String("given"), Action: aws.String("lambda:InvokeFunction"),
		Principal: aws.String("iot.amazonaws.com"), SourceArn: &sourceARN, SourceAccount: &account,
	}
	if qualifier != "" {
		in.Qualifier = &qualifier
	}
	_, err := d.gw.lambda().AddPermission(d.ctx(), in)
	d.must(err)
}

// authorized is an authorizer with its function, which works.
func authorized(d *device) {
	d.function()
	d.authorizer(nil)
	d.permit(d.authorizerARN(), d.gw.AccountID, "")
}

// permitted is an authorizer whose permission is given as the arguments say.
func permitted(give func(d *device)) func(*device) {
	return func(d *device) {
		d.function()
		d.authorizer(nil)
		give(d)
	}
}

// byAuthorizer connects with a user name and a password, $name filled in.
func byAuthorizer(user, password string) func(*device) rawmqtt.End {
	return func(d *device) rawmqtt.End {
		return d.connectTo("", []string{"mqtt"}, user, password)
	}
}

// connectTo connects to the ALPN port under a host name.
func (d *device) connectTo(host string, alpn []string, user, password string) rawmqtt.End {
	d.t.Helper()
	o := d.options()
	o.Addr, o.ALPN = net.JoinHostPort("127.0.0.1", strconv.Itoa(d.gw.Ports.ALPN)), alpn
	o.Certificate = d.cert
	if host != "" {
		o.ServerName = host
	}
	p := d.hello()
	p.HasUserName, p.UserName, p.HasPassword, p.Password = true, []byte(d.fill(user)), true, []byte(password)
	return d.try(o, d.encode(p)...)
}

const byName = "bob?x-amz-customauthorizer-name=$authorizer"

// lonely has one authorizer, and no default one.
var lonely = lazily("lonely", "--limits", "open")

// domain makes a domain configuration for a host name of the device.
func (d *device) domain(change func(*iot.CreateDomainConfigurationInput)) {
	d.t.Helper()
	host := d.name + ".example.com"
	d.vars["host"], d.vars["domain"] = host, d.name
	key := otherKey
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: host}, DNSNames: []string{host},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour), ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	d.must(err)
	dir := d.t.TempDir()
	keyDER, err := x509.MarshalECPrivateKey(key)
	d.must(err)
	for name, block := range map[string]*pem.Block{"cert.pem": {Type: "CERTIFICATE", Bytes: der}, "key.pem": {Type: "EC PRIVATE KEY", Bytes: keyDER}} {
		d.must(os.WriteFile(filepath.Join(dir, name), pem.EncodeToMemory(block), 0o600))
	}
	out, stderr, err := d.gw.Run(d.ctx(), dir, "gatehouse", "domain", "import-certificate", "--cert", "cert.pem", "--key", "key.pem")
	if err != nil {
		d.t.Fatalf("import-certificate: %v\n%s%s", err, out, stderr)
	}
	in := &iot.CreateDomainConfigurationInput{
		DomainConfigurationName: &d.name, DomainName: &host, ServerCertificateArns: []string{string(bytes.TrimSpace([]byte(out)))},
		AuthenticationType: types.AuthenticationTypeCustomAuth, ApplicationProtocol: types.ApplicationProtocolSecureMqtt,
		AuthorizerConfig: &types.AuthorizerConfig{DefaultAuthorizerName: &d.name, AllowAuthorizerOverride: aws.Bool(false)},
	}
	if change != nil {
		change(in)
	}
	_, err = d.gw.iot.CreateDomainConfiguration(d.ctx(), in)
	d.must(err)
	d.t.Cleanup(func() {
		ctx := context.Background()
		_, err := d.gw.iot.UpdateDomainConfiguration(ctx, &iot.UpdateDomainConfigurationInput{DomainConfigurationName: &d.name, DomainConfigurationStatus: types.DomainConfigurationStatusDisabled})
		d.must(err)
		_, err = d.gw.iot.DeleteDomainConfiguration(ctx, &iot.DeleteDomainConfigurationInput{DomainConfigurationName: &d.name})
		d.must(err)
	})
}

// toDomain connects to the device's domain, without ALPN.
func toDomain(user string) func(*device) rawmqtt.End {
	return func(d *device) rawmqtt.End { return d.connectTo(d.vars["host"], nil, user, "ok") }
}

// authorizerRows is group J: custom authorizers.
var authorizerRows = []refusal{
	{
		id: "J-01", does: "names no authorizer, and the account has no default one", mode: &lonely, setup: func(d *device) {
			d.function()
			d.authorizer(nil)
			d.permit(d.authorizerARN(), d.gw.AccountID, "")
		},
		act: byAuthorizer("bob", "ok"), sees: byMQTT(closed, ""), code: "authorizer.not_selected",
		fix: "aws iot set-default-authorizer --authorizer-name $authorizer", after: accepted,
	},
	{
		id: "J/unknown", does: "names an authorizer in another case", setup: authorized,
		act: byAuthorizer("bob?x-amz-customauthorizer-name=X$authorizer", "ok"), sees: denied, code: "authorizer.unknown",
		proof: map[string]string{"nearest": "$authorizer"},
	},
	{
		id: "J/inactive", does: "names an authorizer that is INACTIVE", setup: func(d *device) {
			authorized(d)
			_, err := d.gw.iot.UpdateAuthorizer(d.ctx(), &iot.UpdateAuthorizerInput{AuthorizerName: &d.name, Status: types.AuthorizerStatusInactive})
			d.must(err)
		},
		act: byAuthorizer(byName, "ok"), sees: denied, code: "authorizer.inactive",
		fix: "aws iot update-authorizer --authorizer-name $authorizer --status ACTIVE", after: accepted,
	},
	{
		id: "J-02", does: "names an authorizer that may not invoke its function", setup: permitted(func(*device) {}),
		act: byAuthorizer(byName, "ok"), sees: denied, code: "authorizer.invoke_denied", says: "has no statement", after: accepted,
	},
	{
		id: "J/permission-function-arn", does: "names an authorizer whose permission has the function's ARN as its source",
		setup: permitted(func(d *device) { d.permit(d.functionARN(), d.gw.AccountID, "") }),
		act:   byAuthorizer(byName, "ok"), sees: denied, code: "authorizer.invoke_denied", says: "not of the function", after: accepted,
	},
	{
		id: "J/permission-account", does: "names an authorizer whose permission is for another account",
		setup: permitted(func(d *device) { d.permit(d.authorizerARN(), "999999999999", "") }),
		act:   byAuthorizer(byName, "ok"), sees: denied, code: "authorizer.invoke_denied", says: "SourceAccount", after: accepted,
	},
	{
		id: "J/permission-name", does: "names an authorizer whose permission is for another authorizer",
		setup: permitted(func(d *device) { d.permit(d.authorizerARN()+"-old", d.gw.AccountID, "") }),
		act:   byAuthorizer(byName, "ok"), sees: denied, code: "authorizer.invoke_denied", says: "SourceArn", after: accepted,
	},
	{
		id: "J/permission-version", does: "names an authorizer of a version, and the permission is for the function", setup: func(d *device) {
			d.function()
			v, err := d.gw.lambda().PublishVersion(d.ctx(), &lambda.PublishVersionInput{FunctionName: aws.String(d.functionName())})
			d.must(err)
			d.authorizer(func(in *iot.CreateAuthorizerInput) {
				in.AuthorizerFunctionArn = aws.String(d.functionARN() + ":" + *v.Version)
			})
			d.permit(d.authorizerARN(), d.gw.AccountID, "")
		},
		act: byAuthorizer(byName, "ok"), sees: denied, code: "authorizer.invoke_denied", says: "qualifier 1", after: accepted,
	},
	{
		id: "J/function-missing", does: "names an authorizer whose function does not exist", setup: func(d *device) { d.authorizer(nil) },
		act: byAuthorizer(byName, "ok"), sees: denied, code: "authorizer.function_missing",
	},
	{
		id: "J/throttled", does: "names an authorizer whose function has no concurrency", setup: func(d *device) {
			authorized(d)
			_, err := d.gw.lambda().PutFunctionConcurrency(d.ctx(), &lambda.PutFunctionConcurrencyInput{
				FunctionName: aws.String(d.functionName()), ReservedConcurrentExecutions: aws.Int32(0),
			})
			d.must(err)
		},
		act: byAuthorizer(byName, "ok"), sees: denied, code: "authorizer.throttled", after: accepted,
	},
	{
		id: "J-14/key-name", does: "sends its token under another name", setup: func(d *device) {
			d.signedAuthorizer()
		},
		act: func(d *device) rawmqtt.End {
			return d.connectTo("", []string{"mqtt"}, byName+"&x-amz-customauthorizer-signature="+d.vars["signature"]+"&jwt=tok", "ok")
		},
		sees: denied, code: "authorizer.token_key_name", proof: map[string]string{"offered": "jwt"},
		fix: "aws iot update-authorizer --authorizer-name $authorizer --token-key-name jwt", after: accepted,
	},
	{
		id: "J-14/token", does: "sends no token to an authorizer that verifies signatures", setup: (*device).signedAuthorizer,
		act: byAuthorizer(byName, "ok"), sees: denied, code: "authorizer.token_missing",
	},
	{
		id: "J-14/signature", does: "sends a token without its signature", setup: (*device).signedAuthorizer,
		act: byAuthorizer(byName+"&Token=tok", "ok"), sees: denied, code: "authorizer.signature_missing",
	},
	{
		id: "J-05", does: "sends a signature in base64url", setup: (*device).signedAuthorizer,
		act: byAuthorizer(byName+"&Token=tok&x-amz-customauthorizer-signature=a-_b", "ok"), sees: denied, code: "authorizer.signature_encoding", says: "base64url",
	},
	{
		id: "J-14/mismatch", does: "signs another value than its token", setup: (*device).signedAuthorizer,
		act: func(d *device) rawmqtt.End {
			return d.connectTo("", []string{"mqtt"}, byName+"&Token=other&x-amz-customauthorizer-signature="+d.vars["signature"], "ok")
		},
		sees: denied, code: "authorizer.signature_mismatch",
	},
	{
		id: "J-10/throws", does: "meets an authorizer that throws", setup: authorized, act: byAuthorizer(byName, "throw"),
		sees: denied, code: "authorizer.function_error", says: "TypeError: no such user",
	},
	{
		id: "J-11", does: "meets an authorizer that takes 7 seconds", setup: authorized, act: byAuthorizer(byName, "sleep"),
		sees: denied, code: "authorizer.timeout", proof: map[string]string{"required": "~s"},
	},
	{
		id: "J-10/null", does: "meets an authorizer that returns nothing", setup: authorized, act: byAuthorizer(byName, "nothing"),
		sees: denied, code: "authorizer.response_invalid", proof: map[string]string{"json_path": "$"},
	},
	{
		id: "J-10/type", does: "meets an authorizer that answers a text for a boolean", setup: authorized, act: byAuthorizer(byName, "text"),
		sees: denied, code: "authorizer.response_invalid", proof: map[string]string{"json_path": "~isAuthenticated"},
	},
	{
		id: "J/principal", does: "meets an authorizer that answers a principal ID with a hyphen", setup: authorized, act: byAuthorizer(byName, "hyphen"),
		sees: denied, code: "authorizer.principal_id_invalid", says: "'-'",
	},
	{
		id: "J-10/documents", does: "meets an authorizer that answers 11 documents", setup: authorized, act: byAuthorizer(byName, "eleven"),
		sees: denied, code: "authorizer.documents_invalid", says: "11 documents",
	},
	{
		id: "J/duration", does: "meets an authorizer that answers a refresh after 60 seconds", setup: authorized, act: byAuthorizer(byName, "short"),
		sees: denied, code: "authorizer.duration_invalid", proof: map[string]string{"offered": "60"},
	},
	{
		id: "J/rejected", does: "is rejected by its authorizer", setup: authorized, act: byAuthorizer(byName, "reject"),
		sees: denied, code: "authorizer.rejected",
	},
	{
		id: "J-04", does: "is authenticated, and the returned policy does not allow iot:Connect", setup: authorized, act: byAuthorizer(byName, "publishonly"),
		sees: denied, code: "authz.connect.no_statement",
	},
	{
		id: "J/no-documents", does: "is authenticated, and no document is returned", setup: authorized, act: byAuthorizer(byName, "empty"),
		sees: denied, code: "authorizer.policy",
	},
	{
		id: "J-13", does: "uses a custom authorizer over MQTT without ALPN", setup: authorized,
		act:  func(d *device) rawmqtt.End { return d.connectTo("", nil, byName, "ok") },
		sees: silent, code: "tls.alpn.mqtt_required",
	},
	{
		id: "J-08", does: "names an authorizer on port 8883 with its certificate", setup: func(d *device) {
			d.issued(true)
			d.allow("iot:* *")
		},
		act: func(d *device) rawmqtt.End {
			return d.connect(func(p *mqtt.Connect) {
				p.HasUserName, p.UserName = true, []byte("bob?x-amz-customauthorizer-name=a")
			})
		},
		sees: byMQTT(accepted, accepted), code: "authorizer.port",
	},
	{
		id: "J/domain-disabled", does: "connects to a domain configuration that is DISABLED", setup: func(d *device) {
			authorized(d)
			d.domain(nil)
			_, err := d.gw.iot.UpdateDomainConfiguration(d.ctx(), &iot.UpdateDomainConfigurationInput{
				DomainConfigurationName: &d.name, DomainConfigurationStatus: types.DomainConfigurationStatusDisabled,
			})
			d.must(err)
		},
		act: toDomain("bob"), sees: silent, code: "domain.disabled",
		fix: "aws iot update-domain-configuration --domain-configuration-name $domain --domain-configuration-status ENABLED", after: accepted,
	},
	{
		id: "J/override", does: "names another authorizer than its domain configuration allows", setup: func(d *device) {
			authorized(d)
			d.domain(nil)
			other := d.name + "-b"
			_, err := d.gw.iot.CreateAuthorizer(d.ctx(), &iot.CreateAuthorizerInput{
				AuthorizerName: &other, AuthorizerFunctionArn: aws.String(d.functionARN()), SigningDisabled: aws.Bool(true), Status: types.AuthorizerStatusActive,
			})
			d.must(err)
			d.t.Cleanup(func() { d.withdraw(other) })
			_, err = d.gw.lambda().AddPermission(d.ctx(), &lambda.AddPermissionInput{
				FunctionName: aws.String(d.functionName()), StatementId: aws.String("b"), Action: aws.String("lambda:InvokeFunction"), Principal: aws.String("iot.amazonaws.com"),
			})
			d.must(err)
		},
		act: toDomain(byName + "-b"), sees: denied, code: "authorizer.override_not_allowed", after: accepted,
	},
}

// signedAuthorizer makes an authorizer that verifies signatures, and signs "tok".
func (d *device) signedAuthorizer() {
	d.t.Helper()
	dir := d.t.TempDir()
	run := func(args ...string) string {
		out, stderr, err := d.gw.Run(context.Background(), dir, "gatehouse", append([]string{"authorizer"}, args...)...)
		if err != nil {
			d.t.Fatalf("%v: %v\n%s%s", args, err, out, stderr)
		}
		return out
	}
	run("keygen", "--out", "token")
	public, err := os.ReadFile(filepath.Join(dir, "token.public.pem"))
	d.must(err)
	d.function()
	d.authorizer(func(in *iot.CreateAuthorizerInput) {
		in.SigningDisabled, in.TokenKeyName, in.TokenSigningPublicKeys = nil, aws.String("Token"), map[string]string{"k": string(public)}
	})
	d.permit(d.authorizerARN(), d.gw.AccountID, "")
	var signed struct{ EncodedSignature string }
	d.must(json.Unmarshal([]byte(run("sign", "-o", "json", "--key", "token.private.pem", "tok")), &signed))
	d.vars["signature"] = signed.EncodedSignature
}
