// Package gateway is the device's door: it accepts connections on three ports,
// reads the ClientHello, chooses protocol and TLS settings by server name and
// ALPN, runs the certificate checks in AWS's order inside the handshake, and
// carries MQTT on to mqttconn and HTTP to its answers.
//
// A refused connection looks on the wire as it does on AWS, with the alert kept
// readable; why it was refused goes into its attempt, never to the device.
package gateway
