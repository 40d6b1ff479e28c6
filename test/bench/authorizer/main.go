// Command authorizer is a custom authorizer that does nothing but answer. It
// measures how long its handler takes, and tells whoever invokes it with
// {"own": true}.
package main

import (
	"context"
	"slices"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-lambda-go/lambda"
)

type event struct {
	events.IoTCoreCustomAuthorizerRequest
	Own bool `json:"own"`
}

// own are the handler's times; a process has one invocation at a time.
var own []time.Duration

func main() {
	lambda.Start(func(_ context.Context, e event) (any, error) {
		if e.Own {
			slices.Sort(own)
			return map[string]float64{"ownMicroseconds": float64(own[len(own)/2]) / float64(time.Microsecond)}, nil
		}
		began := time.Now()
		answer := events.IoTCoreCustomAuthorizerResponse{
			IsAuthenticated: true, PrincipalID: "Bench", DisconnectAfterInSeconds: 3600, RefreshAfterInSeconds: 300,
			PolicyDocuments: []*events.IAMPolicyDocument{{Version: "2012-10-17", Statement: []events.IAMPolicyStatement{{
				Effect: "Allow", Action: []string{"iot:*"}, Resource: []string{"*"},
			}}}},
		}
		own = append(own, time.Since(began))
		return answer, nil
	})
}
