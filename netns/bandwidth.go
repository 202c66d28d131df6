package netns

import (
	"math"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

const (
	tbfBurst       = 6         // TCA_TBF_BURST, linux/pkt_sched.h
	linkLayerEther = 1         // TC_LINKLAYER_ETHERNET
	smallestBurst  = 128 << 10 // bytes; the largest packet that a link hands over at once is 64 KiB
)

// setRate shapes what leaves the link to so many bits a second, with a token bucket (man 8 tc-tbf). Each
// direction is shaped at the end that sends it, where a full queue makes the sender wait: what flows to the
// pod at the host's end, what flows from it at the pod's. The queue holds 25 ms.
func setRate(index int, bitsPerSecond uint64) *nl.NetlinkRequest {
	rate := max(bitsPerSecond/8, 1)
	burst := uint32(min(max(rate/100, smallestBurst), math.MaxUint32))
	opt := nl.TcTbfQopt{Limit: uint32(min(rate/40+uint64(burst), math.MaxUint32)), Buffer: burst}
	opt.Rate.Rate = uint32(min(rate, math.MaxUint32))
	opt.Rate.Linklayer = linkLayerEther
	r := nl.NewNetlinkRequest(unix.RTM_NEWQDISC, unix.NLM_F_CREATE|unix.NLM_F_REPLACE)
	r.AddData(&nl.TcMsg{Family: unix.AF_UNSPEC, Ifindex: int32(index), Parent: netlink.HANDLE_ROOT, Handle: netlink.MakeHandle(1, 0)})
	r.AddData(nl.NewRtAttr(nl.TCA_KIND, nl.ZeroTerminated("tbf")))
	options := nl.NewRtAttr(nl.TCA_OPTIONS, nil)
	options.AddRtAttr(nl.TCA_TBF_PARMS, opt.Serialize())
	options.AddRtAttr(tbfBurst, nl.Uint32Attr(burst))
	if rate > math.MaxUint32 {
		options.AddRtAttr(nl.TCA_TBF_RATE64, nl.Uint64Attr(rate))
	}
	r.AddData(options)
	return r
}
