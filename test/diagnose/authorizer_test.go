package diagnose

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/iot"
	"github.com/aws/aws-sdk-go-v2/service/iot/types"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	lambdatypes "github.com/aws/aws-sdk-go-v2/service/lambda/types"

	"github.com/gatehouse-iot/gatehouse/internal/diagnose"
	"github.com/gatehouse-iot/gatehouse/test/gatehouseproc"
)

// functionCode answers as the password of the CONNECT asks for.
const functionCode = `
const allow = (action, resource) => ({ Version: "2012-10-17", Statement: [{ Effect: "Allow", Action: action, Resource: resource ?? "*" }] });
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
    case "large": return { ...answer, policyDocuments: [allow("iot:*", Array(200).fill("arn:aws:iot:us-east-1:123456789012:topic/a"))] };
    case "short": return { ...answer, refreshAfterInSeconds: 60 };
    case "publishonly": return { ...answer, policyDocuments: [allow("iot:Publish")] };
    case "connectonly": return { ...answer, policyDocuments: [allow("iot:Connect")] };
    case "empty": return { ...answer, policyDocuments: [] };
  }
  return answer;
}
`

var functionZip = sync.OnceValue(func() []byte { return gatehouseproc.FunctionZip(functionCode) })

func (d *device) lambda() *lambda.Client {
	return lambda.New(lambda.Options{
		Region: d.gw.Region, Credentials: credentials.NewStaticCredentialsProvider(d.gw.AccessKeyID, d.gw.SecretAccessKey, ""), BaseEndpoint: &d.gw.APIURL, RetryMaxAttempts: 1,
	})
}

func (d *device) functionName() string { return "f-" + d.ThingName }

func (d *device) functionARN() string {
	return "arn:aws:lambda:" + d.gw.Region + ":" + d.gw.AccountID + ":function:" + d.functionName()
}

func (d *device) authorizerARN() string {
	return "arn:aws:iot:" + d.gw.Region + ":" + d.gw.AccountID + ":authorizer/" + d.ThingName
}

// function makes the device's own function.
func (d *device) function() {
	d.t.Helper()
	_, err := d.lambda().CreateFunction(d.t.Context(), &lambda.CreateFunctionInput{
		FunctionName: aws.String(d.functionName()), Runtime: lambdatypes.RuntimeNodejs20x, Handler: aws.String("index.handler"), Timeout: aws.Int32(10),
		Role: aws.String("arn:aws:iam::" + d.gw.AccountID + ":role/any"), Code: &lambdatypes.FunctionCode{ZipFile: functionZip()},
	})
	d.must(err)
}

// authorizer makes an authorizer of the device's name, changed by change, which
// goes with the test: J-01 needs an account with one authorizer.
func (d *device) authorizer(change func(*iot.CreateAuthorizerInput)) {
	d.t.Helper()
	in := &iot.CreateAuthorizerInput{
		AuthorizerName: &d.ThingName, AuthorizerFunctionArn: aws.String(d.functionARN()), SigningDisabled: aws.Bool(true), Status: types.AuthorizerStatusActive,
	}
	if change != nil {
		change(in)
	}
	_, err := d.gw.IoT().CreateAuthorizer(d.t.Context(), in)
	d.must(err)
	d.vars["authorizer"], d.vars["function"], d.vars["authorizerarn"] = d.ThingName, d.functionName(), d.authorizerARN()
	d.t.Cleanup(func() {
		ctx := context.Background()
		_, _ = d.gw.IoT().ClearDefaultAuthorizer(ctx, &iot.ClearDefaultAuthorizerInput{}) // there may be none
		_, err := d.gw.IoT().UpdateAuthorizer(ctx, &iot.UpdateAuthorizerInput{AuthorizerName: &d.ThingName, Status: types.AuthorizerStatusInactive})
		d.must(err)
		_, err = d.gw.IoT().DeleteAuthorizer(ctx, &iot.DeleteAuthorizerInput{AuthorizerName: &d.ThingName})
		d.must(err)
	})
}

// permit adds a statement to the function's resource policy.
func (d *device) permit(sourceARN, account string) {
	d.t.Helper()
	_, err := d.lambda().AddPermission(d.t.Context(), &lambda.AddPermissionInput{
		FunctionName: aws.String(d.functionName()), StatementId: aws.String("given"), Action: aws.String("lambda:InvokeFunction"),
		Principal: aws.String("iot.amazonaws.com"), SourceArn: &sourceARN, SourceAccount: &account,
	})
	d.must(err)
}

// custom makes the device one that authenticates by a custom authorizer: no
// certificate, the port for it, and these flags ($name filled in).
func custom(flags ...string) func(*device) {
	return func(d *device) {
		d.drop("--cert")
		d.drop("--key")
		d.set("--port", itoa(d.gw.Ports.ALPN))
		for i := 0; i+1 < len(flags); i += 2 {
			d.set(flags[i], d.fill(flags[i+1]))
		}
	}
}

// authorized is an authorizer that works, with its function.
func authorized(d *device) {
	d.function()
	d.authorizer(nil)
	d.permit(d.authorizerARN(), d.gw.AccountID)
}

// signing is an authorizer that works and verifies the signature of a token; the
// device's token is "tok".
func signing(d *device) {
	dir := d.t.TempDir()
	run := func(args ...string) string {
		out, stderr, err := d.gw.Run(d.t.Context(), dir, "gatehouse", append([]string{"authorizer"}, args...)...)
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
	d.permit(d.authorizerARN(), d.gw.AccountID)
	var signed, line struct{ Signature string }
	d.must(json.Unmarshal([]byte(run("sign", "-o", "json", "--key", "token.private.pem", "tok")), &signed))
	d.must(json.Unmarshal([]byte(run("sign", "-o", "json", "--key", "token.private.pem", "tok\n")), &line))
	d.vars["signature"], d.vars["linesignature"] = signed.Signature, line.Signature
}

// then does one thing after the other to a device.
func then(steps ...func(*device)) func(*device) {
	return func(d *device) {
		for _, step := range steps {
			step(d)
		}
	}
}

// named is a device that names its own authorizer and sends this password.
func named(password string) func(*device) {
	return custom("--authorizer", "$authorizer", "--user-name", "bob", "--password", password)
}

// answers is a device whose authorizer answers as the password says.
func answers(password string) func(*device) { return then(authorized, named(password)) }

// permits is an authorizer whose permission is given as give says.
func permits(give func(*device)) func(*device) {
	return then((*device).function, func(d *device) { d.authorizer(nil) }, give, named("ok"))
}

var accountAndGateway = []diagnose.Side{diagnose.SideAccount, diagnose.SideGateway}

// authorizerRows is group J.
var authorizerRows = []row{
	{
		id: "J-01", change: then(authorized, custom("--alpn", "mqtt", "--user-name", "ann", "--password", "ok")), code: "authorizer.not_selected",
		says: []string{"default authorizer", "x-amz-customauthorizer-name"}, fix: "aws iot set-default-authorizer --authorizer-name $authorizer", sides: accountAndGateway, repaired: true,
	},
	{
		id: "J-01/websocket", change: then(authorized, custom("--websocket", "", "--user-name", "ann", "--password", "ok")), code: "authorizer.not_selected",
		says: []string{"default authorizer"}, fix: "aws iot set-default-authorizer --authorizer-name $authorizer", sides: accountAndGateway, repaired: true,
	},
	{
		id: "J/unknown", change: then(authorized, custom("--authorizer", "X-$authorizer", "--user-name", "bob", "--password", "ok")), code: "authorizer.unknown",
		says: []string{"X-$authorizer", "$authorizer"}, fix: "gatehouse authorizer test $authorizer", sides: accountAndGateway,
	},
	{
		id: "J/inactive", change: then(authorized, func(d *device) {
			_, err := d.gw.IoT().UpdateAuthorizer(d.t.Context(), &iot.UpdateAuthorizerInput{AuthorizerName: &d.ThingName, Status: types.AuthorizerStatusInactive})
			d.must(err)
		}, named("ok")), code: "authorizer.inactive",
		says: []string{"INACTIVE"}, fix: "aws iot update-authorizer --authorizer-name $authorizer --status ACTIVE", sides: accountAndGateway, repaired: true,
	},
	{
		id: "J-02", change: permits(func(*device) {}), code: "authorizer.invoke_denied", says: []string{"$authorizerarn", "$function", "was not invoked"},
		fix: "aws lambda add-permission --function-name $function", sides: accountAndGateway, repaired: true,
	},
	{
		id: "J-02/function-arn", change: permits(func(d *device) { d.permit(d.functionARN(), d.gw.AccountID) }), code: "authorizer.invoke_denied",
		says: []string{"not of the function"}, fix: "--source-arn $authorizerarn", sides: accountAndGateway, repaired: true,
	},
	{
		id: "J-02/account", change: permits(func(d *device) { d.permit(d.authorizerARN(), "999999999999") }), code: "authorizer.invoke_denied",
		says: []string{"999999999999", "$account"}, fix: "--source-account $account", sides: accountAndGateway, repaired: true,
	},
	{
		id: "J-02/name", change: permits(func(d *device) { d.permit(d.authorizerARN()+"-old", d.gw.AccountID) }), code: "authorizer.invoke_denied",
		says: []string{"$authorizerarn-old"}, fix: "--source-arn $authorizerarn", sides: accountAndGateway, repaired: true,
	},
	{
		id: "J-02/version", change: func(d *device) {
			d.function()
			v, err := d.lambda().PublishVersion(d.t.Context(), &lambda.PublishVersionInput{FunctionName: aws.String(d.functionName())})
			d.must(err)
			d.authorizer(func(in *iot.CreateAuthorizerInput) {
				in.AuthorizerFunctionArn = aws.String(d.functionARN() + ":" + *v.Version)
			})
			d.permit(d.authorizerARN(), d.gw.AccountID)
			named("ok")(d)
		}, code: "authorizer.invoke_denied", says: []string{"qualifier 1"}, fix: "--qualifier 1", sides: accountAndGateway, repaired: true,
	},
	{
		id: "J/function-missing", change: then(func(d *device) { d.authorizer(nil) }, named("ok")), code: "authorizer.function_missing",
		says: []string{"function:$function"}, fix: "aws lambda list-functions", sides: accountAndGateway,
	},
	{
		id: "J/throttled", change: then(authorized, func(d *device) {
			_, err := d.lambda().PutFunctionConcurrency(d.t.Context(), &lambda.PutFunctionConcurrencyInput{FunctionName: aws.String(d.functionName()), ReservedConcurrentExecutions: aws.Int32(0)})
			d.must(err)
		}, named("ok")), code: "authorizer.throttled", says: []string{"$function"}, fix: "aws lambda put-function-concurrency --function-name $function", sides: accountAndGateway, repaired: true,
	},
	{
		id: "J-14/token", change: then(signing, custom("--authorizer", "$authorizer")), code: "authorizer.token_missing",
		says: []string{"Token"}, fix: "gatehouse authorizer sign", sides: accountAndGateway,
	},
	{
		id: "J-14/key-name", change: then(signing, custom("--authorizer", "$authorizer", "--token-key", "jwt", "--token", "tok", "--signature", "$signature")), code: "authorizer.token_key_name",
		says: []string{"jwt", "Token"}, fix: "aws iot update-authorizer --authorizer-name $authorizer --token-key-name jwt", sides: accountAndGateway, repaired: true,
	},
	{
		id: "J-14/signature", change: then(signing, custom("--authorizer", "$authorizer", "--token-key", "Token", "--token", "tok")), code: "authorizer.signature_missing",
		says: []string{"x-amz-customauthorizer-signature"}, fix: "gatehouse authorizer sign", sides: accountAndGateway,
	},
	{
		id: "J-14/mismatch", change: then(signing, custom("--authorizer", "$authorizer", "--token-key", "Token", "--token", "other", "--signature", "$signature")), code: "authorizer.signature_mismatch",
		says: []string{"5 bytes", "public keys"}, fix: "gatehouse authorizer sign", sides: accountAndGateway,
	},
	{
		id: "J-14/line-break", change: then(signing, custom("--authorizer", "$authorizer", "--token-key", "Token", "--token", "tok", "--signature", "$linesignature")), code: "authorizer.signature_mismatch",
		says: []string{"line break behind it"}, fix: "gatehouse authorizer sign", sides: accountAndGateway,
	},
	{
		id: "J-05", change: then(signing, custom("--authorizer", "$authorizer", "--token-key", "Token", "--token", "tok", "--signature", "a-_b")), code: "authorizer.signature_encoding",
		says: []string{"base64url", "4 characters"}, fix: "", sides: accountAndGateway,
	},
	{
		id: "J-05/websocket", change: then(signing, custom("--websocket", "", "--authorizer", "$authorizer", "--token-key", "Token", "--token", "tok", "--signature", "a-_b")), code: "authorizer.signature_encoding",
		says: []string{"base64url"}, fix: "", sides: accountAndGateway,
	},
	{
		id: "J-10/throws", change: answers("throw"), code: "authorizer.function_error",
		says: []string{"TypeError", "no such user"}, fix: "aws logs filter-log-events --log-group-name /aws/lambda/$function", sides: accountAndGateway,
	},
	{
		id: "J-10/null", change: answers("nothing"), code: "authorizer.response_invalid",
		says: []string{"$function", "null"}, fix: "gatehouse authorizer test $authorizer", sides: accountAndGateway,
	},
	{
		id: "J-10/type", change: answers("text"), code: "authorizer.response_invalid",
		says: []string{"isAuthenticated", "boolean"}, fix: "gatehouse authorizer test $authorizer", sides: accountAndGateway,
	},
	{
		id: "J-10/documents", change: answers("eleven"), code: "authorizer.documents_invalid",
		says: []string{"11 documents", "maximum is 10"}, fix: "gatehouse authorizer test $authorizer", sides: accountAndGateway,
	},
	{
		id: "J-10/size", change: answers("large"), code: "authorizer.documents_invalid",
		says: []string{"2048"}, fix: "gatehouse authorizer test $authorizer", sides: accountAndGateway,
	},
	{
		id: "J/principal", change: answers("hyphen"), code: "authorizer.principal_id_invalid",
		says: []string{"device-1"}, fix: "gatehouse authorizer test $authorizer", sides: accountAndGateway,
	},
	{
		id: "J/duration", change: answers("short"), code: "authorizer.duration_invalid",
		says: []string{"60", "300 to 86400"}, fix: "gatehouse authorizer test $authorizer", sides: accountAndGateway,
	},
	{
		id: "J-11", change: answers("sleep"), code: "authorizer.timeout",
		says: []string{"$function", "without an answer", "the limit for an authorizer is"}, fix: "aws logs filter-log-events --log-group-name /aws/lambda/$function", sides: accountAndGateway,
	},
	{
		id: "J/rejected", change: answers("reject"), code: "authorizer.rejected",
		says: []string{"isAuthenticated: false"}, fix: "aws logs filter-log-events --log-group-name /aws/lambda/$function", sides: accountAndGateway,
	},
	{
		id: "J/rejected-websocket", change: then(authorized, custom("--websocket", "", "--authorizer", "$authorizer", "--user-name", "bob", "--password", "reject")), code: "authorizer.rejected",
		says: []string{"isAuthenticated: false"}, fix: "aws logs filter-log-events --log-group-name /aws/lambda/$function", sides: accountAndGateway,
	},
	{
		id: "J-04/connect", change: answers("publishonly"), code: "authz.connect.no_statement",
		says: []string{"client/$client", "iot:Connect", "Let the function return this statement"}, fix: "gatehouse authorizer replay", sides: accountAndGateway,
	},
	{
		id: "J-04", change: then(answers("connectonly"), func(d *device) { d.set("--publish", "a/b") }), code: "authz.publish",
		says: []string{"topic/a/b", "iot:Publish", "Let the function return this statement"}, fix: "gatehouse authorizer replay", sides: accountAndGateway,
	},
	{
		id: "J/no-documents", change: answers("empty"), code: "authorizer.policy",
		says: []string{"iot:Connect"}, sides: accountAndGateway,
	},
	{
		id: "J-13", change: then(answers("ok"), func(d *device) { d.set("--alpn", "none") }), code: "tls.alpn.mqtt_required",
		says: []string{"mqtt"}, fix: "-alpn mqtt", sides: []diagnose.Side{diagnose.SideDevice, diagnose.SideGateway},
	},
	{
		id: "J-08", change: then(answers("ok"), func(d *device) {
			d.set("--port", itoa(d.gw.Ports.MQTT))
			d.set("--alpn", "none")
			d.set("--cert", d.CertificateFile)
			d.set("--key", d.PrivateKeyFile)
		}), code: "authorizer.port", warns: true,
		says: []string{"x-amz-customauthorizer-name"}, fix: "-alpn mqtt", sides: []diagnose.Side{diagnose.SideGateway},
	},
	{
		id: "J-08/no-certificate", change: then(answers("ok"), func(d *device) {
			d.set("--port", itoa(d.gw.Ports.MQTT))
			d.set("--alpn", "none")
		}), code: "cert.none_sent", fix: "mosquitto_pub", sides: []diagnose.Side{diagnose.SideDevice},
	},
}

func TestAuthorizerRows(t *testing.T) {
	gatehouseproc.Need(t, "node")
	walk(t, gatehouseproc.Start(t), authorizerRows)
}
