// An authorizer as the aws-lambda-go documentation writes them.
package main

import (
	"context"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-lambda-go/lambda"
)

func handler(_ context.Context, in events.IoTCoreCustomAuthorizerRequest) (events.IoTCoreCustomAuthorizerResponse, error) {
	if in.Token == "panic" {
		panic("panic asked for")
	}
	out := events.IoTCoreCustomAuthorizerResponse{IsAuthenticated: true, PrincipalID: "nobody", DisconnectAfterInSeconds: 3600, RefreshAfterInSeconds: 300}
	if in.ProtocolData != nil && in.ProtocolData.MQTT != nil {
		out.PrincipalID = in.ProtocolData.MQTT.Username
		out.IsAuthenticated = string(in.ProtocolData.MQTT.Password) == "test"
	}
	return out, nil
}

func main() { lambda.Start(handler) }
