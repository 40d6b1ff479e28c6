package mqtt

// AppendWithin appends p to dst if it fits a receiver's Maximum Packet Size in
// bytes (0: the receiver named none). A packet that does not fit is tried
// without its Reason String and User Properties, which a sender must leave out
// then (MQTT-3.4.2-2 and its like); PUBLISH and CONNECT keep theirs. ok is false,
// and dst as it was, if even that is too large: the sender must drop the packet
// and act as if it was sent (MQTT-3.1.2-25).
func AppendWithin(dst []byte, v Version, p Packet, maxSize uint32) (out []byte, ok bool, err error) {
	start := len(dst)
	out, err = p.Append(dst, v)
	if err != nil || fits(len(out)-start, v, maxSize) {
		return out, err == nil, err
	}
	if props := diagnostics(p); props != nil {
		saved := *props
		defer func() { *props = saved }()
		props.Delete(PropReasonString)
		props.Delete(PropUser)
		out, err = p.Append(out[:start], v)
		if err != nil || fits(len(out)-start, v, maxSize) {
			return out, err == nil, err
		}
	}
	return out[:start], false, nil
}

func fits(n int, v Version, maxSize uint32) bool {
	return v != V5 || maxSize == 0 || uint64(n) <= uint64(maxSize)
}

// diagnostics returns the properties of packets that may lose their Reason
// String and User Properties.
func diagnostics(p Packet) *Properties {
	switch p := p.(type) {
	case *Connack:
		return &p.Props
	case *Puback:
		return &p.Props
	case *Pubrec:
		return &p.Props
	case *Pubrel:
		return &p.Props
	case *Pubcomp:
		return &p.Props
	case *Suback:
		return &p.Props
	case *Unsuback:
		return &p.Props
	case *Disconnect:
		return &p.Props
	case *Auth:
		return &p.Props
	}
	return nil
}
