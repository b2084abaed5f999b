"""Names of query parameters that say how a reader came to an article, not which article it is.

The list is ours, written from general knowledge of what such lists (ClearURLs, Firefox, AdGuard) hold; none of them was
copied or compared with. Names by which some site numbers its articles are left out on purpose: `id`, `cid`, `pid`, `sid`,
`mid`, `aid`, `oid`, `nid`, `p`, `page`, `article`, `story`, `code`, `no`, `idx`, `ref` with a number and the like.
A parameter that stays only makes an item listed twice; one that is removed wrongly makes two articles one.
"""

import re
from typing import Final

__all__ = ["is_tracking"]

_PREFIXES: Final = (
    "utm_", "utm-", "mtm_", "matomo_", "pk_", "piwik_", "hsa_", "at_", "mc_", "ga_", "_ga", "fb_", "itm_", "int_",
    "wt_", "wt.", "ns_", "sc_", "cm_", "cmp_", "cmpid", "vero_", "oly_", "trk_", "__hs", "_hs", "ml_", "bsft_", "mkt_",
    "pd_rd_", "ic_", "ir_", "adj_", "af_", "stm_", "dm_i", "gad_", "tblci", "taboola_", "outbrain_", "yclid", "oc_",
)  # fmt: skip
_NAMES: Final = frozenset(
    """
    _branch_match_id _branch_referrer _gl _ke _openstat _r _sgm_action _sgm_campaign _sgm_source _x_tr_hist
    _x_tr_hl _x_tr_pto _x_tr_sl _x_tr_tl __s __twitter_impression __mk_ _zucks_suid action_object_map
    action_ref_map action_type_map ad_id adfrom amp amp_gsa amp_js_v ampcf amphtml android_src app_source awc
    awt_a awt_l awt_m cc_key clckid campaignid campaign_id campid click_id clickid cmp cmpid comm_ref cvid
    dclid dgcid dicbo ef_id email_source emailid embed_source epik esheet externalsource fbclid feature
    fbadid feed feedid feedname feedtype freetrial from_source from_to fromrss fr_ref gaa_at gaa_n gaa_sig
    gaa_ts gbraid gclid gclsrc gdffi gdfms gdftrk gs_l guccounter guce_referrer guce_referrer_sig hootpostid
    hpt icid idtrack ig_mid ig_rid igsh igshid ik_campaign inf_contact_key ins_medium is_retargeting
    isappinstalled ito jumpto leadsource li_fat_id link_source loclid mbid mindbox-click-id msclkid msockid
    ncid newsletter newsletter_id nr_email_referer ocid ocmp oft_ck oft_d oft_id oft_ids oft_k oft_lk oft_sk
    oicd onepagead origin_ref otc partner partner_id platform print ps_ccid ps_mc ptid rb_clickid recruiter
    redirected_from ref_ ref_src ref_url referer referrer reflink refsrc refsource rel_src rdid rss
    rss_source rsscount rssfeed s_cid s_kwcid sbo scid sc_cid share_from share_medium share_source
    share_token shared sharedfrom shareadraft showcomments smid smtyp sms_ss snr soc_src soc_trk
    socialreferer source_id spm sr_share sref sref_ sscid src_src srnd srsltid ssp_iaba ssp_iabi
    sub_confirmation sxsrf syclid syn- tracking tracking_id traffic_source trk trkcampaign trkid tt_content
    tt_medium ttclid tw twclid twitter_impression twterm umg-audience-id unicorn_click_id usqp ved via vgo_ee
    wbraid wickedid wkey wtmc wt_mc wtrid xing_share xtor xtref xts xcust yclid ymclid ysclid zanpid zarsrc
    znclid sfmc_id sfns sfnsn sthash intcid intcmp intlink internal_source
    jsessionid phpsessid session_id sessionid
    """.split()
)
# Harmless with a word, an identity with a number or anything long.
_WORDY: Final = frozenset(
    "ref source src from medium origin campaign mode view output outputtype type_ref channel s cid_src".split()
)
_SOURCES: Final = re.compile(
    r"^(?:rss\w*|feeds?\w*|atom|xml|twitter|tw|facebook|fb|telegram|tg|vk|whatsapp|linkedin|instagram|email|newsletter|mail|"
    r"push|social|share\w*|home\w*|index|front\w*|top\w*|main|menu|mobile|app|amp|web|desktop|print|google\w*|yandex\w*|bing|"
    r"nl|sns|widget|partner\w*|aggregator|subscribe\w*|hp|[a-z]+rss|rss[-_.]\w+)$",
    re.IGNORECASE,
)  # fmt: skip


def is_tracking(name: str, value: str) -> bool:
    """Whether the parameter `name` (lower case, unescaped) with this raw value says nothing about which article it is."""
    if name.startswith(_PREFIXES) or name in _NAMES:
        return True
    return name in _WORDY and bool(_SOURCES.match(value))
