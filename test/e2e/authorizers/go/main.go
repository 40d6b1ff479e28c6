// Command go is a custom authorizer as a user would write it with AWS's Go
// library: it lets everybody in whose password is "secret".
package main

import (
	"context"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-lambda-go/lambda"
)

func main() {
	lambda.Start(func(_ context.Context, e events.IoTCoreCustomAuthorizerRequest) (events.IoTCoreCustomAuthorizerResponse, error) {
		if e.ProtocolData != nil && e.ProtocolData.MQTT != nil && string(e.ProtocolData.MQTT.Password) != "secret" {
			return events.IoTCoreCustomAuthorizerResponse{}, nil
		}
		return events.IoTCoreCustomAuthorizerResponse{
			IsAuthenticated: true, PrincipalID: "GoDevice", DisconnectAfterInSeconds: 3600, RefreshAfterInSeconds: 300,
			PolicyDocuments: []*events.IAMPolicyDocument{{Version: "2012-10-17", Statement: []events.IAMPolicyStatement{{
				Effect: "Allow", Action: []string{"iot:Connect", "iot:Publish", "iot:Subscribe", "iot:Receive"}, Resource: []string{"*"},
			}}}},
		}, nil
	})
}
