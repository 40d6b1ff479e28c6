package refusals

import (
	"context"
	"slices"
	"strings"
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iot"
	"github.com/aws/aws-sdk-go-v2/service/iot/types"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	lambdatypes "github.com/aws/aws-sdk-go-v2/service/lambda/types"

	"github.com/gatehouse-iot/gatehouse/mqtt"
	"github.com/gatehouse-iot/gatehouse/test/gatehouseproc"
	"github.com/gatehouse-iot/gatehouse/test/rawmqtt"
)

// authorizerCode answers as the password of the CONNECT asks for, or the header Want.
const authorizerCode = `
const allow = (action) => ({ Version: "2012-10-17", Statement: [{ Effect: "Allow", Action: action, Resource: "*" }] });
export async function handler(event) {
  const { mqtt, http, tls } = event.protocolData;
  const password = http?.headers.want ?? Buffer.from(mqtt?.password ?? "", "base64").toString();
  const principalId = tls.principalId ?? "Device1"; // CUSTOM_AUTH_X509 has one
  const answer = { isAuthenticated: true, principalId, policyDocuments: [allow("iot:*")], disconnectAfterInSeconds: 3600, refreshAfterInSeconds: 300 };
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
    case "connectonly": return { ...answer, policyDocuments: [allow("iot:Connect")] };
    case "deny": return { ...answer, policyDocuments: [{ ...allow("iot:*"), Statement: [{ Effect: "Deny", Action: "iot:Connect", Resource: "*" }] }] };
    case "malformed": return { ...answer, policyDocuments: [{ Version: "2012-10-17", Statement: [{ Effect: "Allow" }] }] };
    case "large": return { ...answer, policyDocuments: [allow(Array(200).fill("iot:Publish"))] };
    case "somebody": return { ...answer, principalId: "Somebody" };
    case "empty": return { ...answer, policyDocuments: [] };
  }
  return answer;
}
`

var authorizerZip = sync.OnceValue(func() []byte { return gatehouseproc.FunctionZip(authorizerCode) })

func (g *gateway) lambda() *lambda.Client {
	return lambda.New(lambda.Options{Region: g.Region, Credentials: g.keys, BaseEndpoint: &g.APIURL, RetryMaxAttempts: 1})
}

// function makes the device's own function, of its name, and has it started:
// on a busy machine a start may take longer than the five seconds of an authorizer.
func (d *device) function() {
	d.t.Helper()
	client, name := d.gw.lambda(), d.functionName()
	_, err := client.CreateFunction(d.ctx(), &lambda.CreateFunctionInput{
		FunctionName: &name, Runtime: lambdatypes.RuntimeNodejs20x, Handler: aws.String("index.handler"),
		Role: aws.String("arn:aws:iam::" + d.gw.AccountID + ":role/any"), Code: &lambdatypes.FunctionCode{ZipFile: authorizerZip()},
	})
	d.must(err)
	d.t.Cleanup(func() {
		_, err := client.DeleteFunction(context.Background(), &lambda.DeleteFunctionInput{FunctionName: &name})
		d.must(err)
	})
	_, err = client.Invoke(d.ctx(), &lambda.InvokeInput{FunctionName: &name, Payload: []byte(`{"protocolData":{"tls":{}}}`)})
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

// connectTo connects to the ALPN port under a host name; the default endpoint's is "".
func (d *device) connectTo(host string, alpn []string, user, password string) rawmqtt.End {
	d.t.Helper()
	o, hello := d.customHello(host, alpn, user, password)
	return d.try(o, d.encode(hello)...)
}

// customHello is how the device dials for connectTo, and its CONNECT.
func (d *device) customHello(host string, alpn []string, user, password string) (rawmqtt.Options, *mqtt.Connect) {
	d.t.Helper()
	o := d.options()
	o.Addr, o.ALPN = at(d.gw.Ports.ALPN), alpn
	if host != "" {
		o.ServerName = host
	}
	p := d.hello()
	p.HasUserName, p.UserName, p.HasPassword, p.Password = true, []byte(d.fill(user)), true, []byte(password)
	return o, p
}

const byName = "bob?x-amz-customauthorizer-name=$authorizer"

// lonely has one authorizer at a time, and no default one; lonelyTurn is held
// by the device whose authorizer it is.
var (
	lonely     = lazily("lonely", "--limits", "open")
	lonelyTurn sync.Mutex
)

// alone waits until no other device has an authorizer in lonely.
func alone(d *device) {
	lonelyTurn.Lock()
	d.t.Cleanup(lonelyTurn.Unlock)
}

// authorizerRows is group J: custom authorizers.
var authorizerRows = slices.Concat(chainRows, tokenRows, answerRows, entryRows, bothRows)

// chainRows are which authorizer is asked, and whether it may ask its function.
// Source: custom-auth sheet 3, 14, 18.
var chainRows = []refusal{
	{
		id: "J-01", does: "names no authorizer, and the account has no default one", mode: &lonely, setup: func(d *device) { alone(d); authorized(d) },
		act: byAuthorizer("bob", "ok"), sees: byMQTT(closed, ""), code: "authorizer.not_selected",
		fix: "aws iot set-default-authorizer --authorizer-name $authorizer", after: accepted,
	},
	{
		id: "J-01/domain", does: "names no authorizer, and the domain configuration prescribes none", mode: &lonely, setup: func(d *device) {
			alone(d)
			authorized(d)
			d.domain(func(in *iot.CreateDomainConfigurationInput) { in.AuthorizerConfig = nil })
		},
		act: toDomain("bob"), sees: byMQTT(closed, ""), code: "authorizer.not_selected", says: "neither the domain configuration $domain nor the account",
		fix:   "aws iot update-domain-configuration --domain-configuration-name $domain --authorizer-config defaultAuthorizerName=$authorizer,allowAuthorizerOverride=true",
		after: accepted,
	},
	{
		id: "J/unknown", does: "names an authorizer that does not exist", setup: authorized,
		act: byAuthorizer("bob?x-amz-customauthorizer-name=X$authorizer", "ok"), sees: denied, code: "authorizer.unknown",
		proof: map[string]string{"nearest": "$authorizer", "source": "user name"},
	},
	{
		id: "J/unknown-case", does: "names an authorizer in another case", setup: func(d *device) {
			authorized(d)
			d.vars["upper"] = strings.ToUpper(d.name)
		},
		act: byAuthorizer("bob?x-amz-customauthorizer-name=$upper", "ok"), sees: denied, code: "authorizer.unknown",
		proof: map[string]string{"nearest": "$authorizer", "offered": "$upper"}, fix: "gatehouse authorizer test $authorizer",
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
		id: "J/not-runnable", does: "names an authorizer whose function has no bootstrap", setup: func(d *device) {
			authorized(d)
			_, err := d.gw.lambda().UpdateFunctionConfiguration(d.ctx(), &lambda.UpdateFunctionConfigurationInput{
				FunctionName: aws.String(d.functionName()), Runtime: lambdatypes.RuntimeProvidedal2023,
			})
			d.must(err)
		},
		act: byAuthorizer(byName, "ok"), sees: denied, code: "authorizer.not_runnable", says: "holds no file",
	},
}
