package e2e

import (
	"crypto/tls"
	"os"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iot"
	iottypes "github.com/aws/aws-sdk-go-v2/service/iot/types"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"

	"github.com/gatehouse-iot/gatehouse/test/gatehouseproc"
	"github.com/gatehouse-iot/gatehouse/test/thinmqtt"
)

// TestLambdaEndpoint has the functions of authorizers run elsewhere: by a second
// Gatehouse, whose Lambda API checks the signature of each invocation.
func TestLambdaEndpoint(t *testing.T) {
	gatehouseproc.Need(t, "node")
	elsewhere := gatehouseproc.Start(t)
	handler, err := os.ReadFile("authorizers/auth.mjs")
	if err != nil {
		t.Fatal(err)
	}
	code, err := os.ReadFile(zipFile(t, "auth.mjs", string(handler)))
	if err != nil {
		t.Fatal(err)
	}
	made, err := lambdaOf(elsewhere).CreateFunction(t.Context(), &lambda.CreateFunctionInput{
		FunctionName: aws.String("auth"), Runtime: types.RuntimeNodejs22x, Handler: aws.String("auth.handler"), Timeout: aws.Int32(30),
		Role: aws.String("arn:aws:iam::" + elsewhere.AccountID + ":role/any"), Code: &types.FunctionCode{ZipFile: code},
	})
	if err != nil {
		t.Fatal(err)
	}
	// It starts now: the start of a function counts in the five seconds of an authorizer.
	if _, err := lambdaOf(elsewhere).Invoke(t.Context(), &lambda.InvokeInput{FunctionName: aws.String("auth")}); err != nil {
		t.Fatal(err)
	}
	start := func(secret string) *gatehouseproc.Process {
		t.Setenv("AWS_ACCESS_KEY_ID", elsewhere.AccessKeyID)
		t.Setenv("AWS_SECRET_ACCESS_KEY", secret)
		gw := gatehouseproc.Start(t, "--lambda-endpoint", elsewhere.APIURL)
		for name, arn := range map[string]string{"remote": *made.FunctionArn, "missing": *made.FunctionArn + "-not"} {
			if _, err := gw.IoT().CreateAuthorizer(t.Context(), &iot.CreateAuthorizerInput{
				AuthorizerName: &name, AuthorizerFunctionArn: &arn, SigningDisabled: aws.Bool(true), Status: iottypes.AuthorizerStatusActive,
			}); err != nil {
				t.Fatal(err)
			}
		}
		return gw
	}
	connect := func(gw *gatehouseproc.Process, authorizer, password string) string {
		t.Helper()
		id := authorizer + "-" + password
		c, err := thinmqtt.Connect(t.Context(), thinmqtt.Options{
			Addr: alpnAddress(gw), TLS: &tls.Config{ServerName: "localhost", RootCAs: rootsOf(t, gw.CAFile), NextProtos: []string{"mqtt"}},
			ClientID: id, UserName: "bob?x-amz-customauthorizer-name=" + authorizer, Password: []byte(password),
		})
		if err == nil {
			c.Close()
		}
		text, _ := explainText(t, gw, "--client-id", id)
		return text
	}
	gw := start(elsewhere.SecretAccessKey)
	wrong := start("not-the-secret")
	for _, tt := range []struct {
		gw                   *gatehouseproc.Process
		authorizer, password string
		says                 string
	}{
		{gw, "remote", "secret", "authorizer.authenticated"},
		{gw, "remote", "guess", "authorizer.rejected"},
		{gw, "missing", "secret", "authorizer.function_missing"},
		{wrong, "remote", "secret", "authorizer.not_runnable"},
		{wrong, "remote", "secret", "403"},
	} {
		if text := connect(tt.gw, tt.authorizer, tt.password); !strings.Contains(text, tt.says) {
			t.Errorf("%s, %s: want %s in\n%s", tt.authorizer, tt.password, tt.says, text)
		}
	}
	if invoked, err := lambdaOf(gw).Invoke(t.Context(), &lambda.InvokeInput{FunctionName: aws.String("auth")}); err == nil {
		t.Errorf("the functions of this Gatehouse are those of the other: %s", invoked.Payload)
	}
}
